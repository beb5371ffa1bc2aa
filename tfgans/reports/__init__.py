"""Tables, figures and pages of results over seeds, for the labs and for comparisons of runs."""
