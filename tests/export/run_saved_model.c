/* Runs SavedModels without Python, through the loader of TF Serving and with XLA off, as there.

   Usage: run_saved_model JOB...

   A job is a folder with a text file `job`. Its first line is the folder of the SavedModel, each
   further one a tensor, "feed NAME:INDEX" or "fetch NAME:INDEX"; jobs of the same model in a row
   share a session. The values of feed i are the file `feed.i`; those of fetch i become `fetch.i`.
   Such a file starts with a line "DTYPE RANK DIM...", where DTYPE is a number of TF_DataType. The
   values follow as they lie in memory; of a string its length, as uint64, and its bytes.

   A job that TensorFlow refuses is told on stderr, writes nothing, and makes the exit status 1; the
   others still run. Jobs that cannot be read end the program with the status 2. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tensorflow/c/c_api.h>
#include <tensorflow/c/tf_tstring.h>

/* tensorflow::DisableXlaCompilation() of tensorflow/compiler/jit/flags.h, which is C++. */
extern void disable_xla(void) __asm__("_ZN10tensorflow21DisableXlaCompilationEv");

enum { MAX_TENSORS = 32, MAX_RANK = 8, MAX_TEXT = 4096 };

typedef struct {
  char path[MAX_TEXT];
  TF_Graph *graph;
  TF_Session *session;
} Model;

typedef struct {
  int count;
  TF_Output places[MAX_TENSORS];
  TF_Tensor *values[MAX_TENSORS];
} Tensors;

static _Noreturn void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(2);
}

static void require(bool holds, const char *what, const char *which) {
  if (!holds) die("%s: %s", which, what);
}

/* Whether TensorFlow succeeded; tells what went wrong otherwise. */
static bool succeeded(TF_Status *status, const char *job) {
  bool fine = TF_GetCode(status) == TF_OK;
  if (!fine) fprintf(stderr, "%s: %s\n", job, TF_Message(status));
  TF_DeleteStatus(status);
  return fine;
}

static FILE *open_in(const char *folder, const char *name, const char *mode) {
  char path[2 * MAX_TEXT];
  int length = snprintf(path, sizeof path, "%s/%s", folder, name);
  require(length > 0 && (size_t)length < sizeof path, "the path is too long", folder);
  FILE *file = fopen(path, mode);
  if (!file) perror(path);
  require(file, "cannot be opened", path);
  return file;
}

static FILE *open_value(const char *job, const char *kind, int index, const char *mode) {
  char name[32];
  snprintf(name, sizeof name, "%s.%d", kind, index);
  return open_in(job, name, mode);
}

static TF_Tensor *read_tensor(const char *job, int index) {
  FILE *file = open_value(job, "feed", index, "rb");
  int dtype, rank;
  int64_t dims[MAX_RANK], count = 1;
  require(fscanf(file, "%d %d", &dtype, &rank) == 2, "a feed needs a dtype and a rank", job);
  require(rank >= 0 && rank <= MAX_RANK, "the rank of a feed is out of range", job);
  for (int axis = 0; axis < rank; axis++) {
    require(fscanf(file, "%" SCNd64, &dims[axis]) == 1 && dims[axis] >= 0, "a bad dim", job);
    count *= dims[axis];
  }
  require(fgetc(file) == '\n', "the first line of a feed goes on after the dims", job);
  size_t bytes = (size_t)count * TF_DataTypeSize((TF_DataType)dtype);
  require(bytes || !count, "feeds of this dtype are not supported", job);
  TF_Tensor *tensor = TF_AllocateTensor((TF_DataType)dtype, dims, rank, bytes);
  require(tensor, "no memory for a feed", job);
  require(fread(TF_TensorData(tensor), 1, bytes, file) == bytes, "a feed is too short", job);
  require(fgetc(file) == EOF, "a feed is too long", job);
  fclose(file);
  return tensor;
}

static void write_strings(const TF_Tensor *tensor, FILE *file) {
  const TF_TString *strings = TF_TensorData(tensor);
  for (int64_t i = 0; i < TF_TensorElementCount(tensor); i++) {
    uint64_t size = TF_StringGetSize(&strings[i]);
    fwrite(&size, sizeof size, 1, file);
    fwrite(TF_StringGetDataPointer(&strings[i]), 1, size, file);
  }
}

static void write_tensor(const TF_Tensor *tensor, const char *job, int index) {
  FILE *file = open_value(job, "fetch", index, "wb");
  fprintf(file, "%d %d", (int)TF_TensorType(tensor), TF_NumDims(tensor));
  for (int axis = 0; axis < TF_NumDims(tensor); axis++) {
    fprintf(file, " %" PRId64, TF_Dim(tensor, axis));
  }
  fputc('\n', file);
  if (TF_TensorType(tensor) == TF_STRING) {
    write_strings(tensor, file);
  } else {
    fwrite(TF_TensorData(tensor), 1, TF_TensorByteSize(tensor), file);
  }
  bool failed = ferror(file);
  require(fclose(file) == 0 && !failed, "an output cannot be written", job);
}

static bool close_model(Model *model) {
  bool fine = true;
  if (model->session) {
    TF_Status *status = TF_NewStatus();
    TF_DeleteSession(model->session, status);
    fine = succeeded(status, model->path);
  }
  if (model->graph) TF_DeleteGraph(model->graph);
  *model = (Model){0};
  return fine;
}

static bool open_model(Model *model, const char *path, const char *job) {
  if (model->session && strcmp(model->path, path) == 0) return true;
  if (!close_model(model)) return false;
  const char *const tags[] = {"serve"};
  TF_Status *status = TF_NewStatus();
  TF_SessionOptions *options = TF_NewSessionOptions();
  strcpy(model->path, path);
  model->graph = TF_NewGraph();
  model->session =
      TF_LoadSessionFromSavedModel(options, NULL, path, tags, 1, model->graph, NULL, status);
  TF_DeleteSessionOptions(options);
  return succeeded(status, job);
}

static TF_Output find(const Model *model, const char *tensor, const char *job) {
  char name[MAX_TEXT];
  int index;
  require(sscanf(tensor, "%4095[^:]:%d", name, &index) == 2, "a tensor is NAME:INDEX", job);
  TF_Operation *operation = TF_GraphOperationByName(model->graph, name);
  require(operation && index >= 0 && index < TF_OperationNumOutputs(operation),
          "the graph has no tensor of this name", tensor);
  return (TF_Output){operation, index};
}

/* Reads the rest of `job`: what is fed, with its values, and what is fetched. */
static void read_tensors(FILE *file, const char *job, const Model *model, Tensors *feeds,
                         Tensors *fetches) {
  char kind[8], tensor[MAX_TEXT];
  int read;
  while ((read = fscanf(file, "%7s %4095s", kind, tensor)) == 2) {
    bool feed = strcmp(kind, "feed") == 0;
    require(feed || strcmp(kind, "fetch") == 0, "a line starts with neither feed nor fetch", job);
    Tensors *tensors = feed ? feeds : fetches;
    require(tensors->count < MAX_TENSORS, "too many tensors", job);
    tensors->places[tensors->count] = find(model, tensor, job);
    if (feed) tensors->values[tensors->count] = read_tensor(job, tensors->count);
    tensors->count++;
  }
  require(read == EOF && !ferror(file), "a line is not of two words", job);
}

static bool run_session(const Model *model, const Tensors *feeds, Tensors *fetches,
                        const char *job) {
  TF_Status *status = TF_NewStatus();
  TF_SessionRun(model->session, NULL, feeds->places, feeds->values, feeds->count, fetches->places,
                fetches->values, fetches->count, NULL, 0, NULL, status);
  return succeeded(status, job);
}

static void delete_values(const Tensors *tensors) {
  for (int i = 0; i < tensors->count; i++) {
    if (tensors->values[i]) TF_DeleteTensor(tensors->values[i]);
  }
}

static bool run_job(Model *model, const char *job) {
  char path[MAX_TEXT];
  FILE *file = open_in(job, "job", "r");
  require(fgets(path, sizeof path, file) && strchr(path, '\n'), "a job starts with a path", job);
  *strchr(path, '\n') = '\0';
  Tensors feeds = {0}, fetches = {0};
  bool fine = open_model(model, path, job);
  if (fine) {
    read_tensors(file, job, model, &feeds, &fetches);
    fine = run_session(model, &feeds, &fetches, job);
  }
  for (int i = 0; fine && i < fetches.count; i++) write_tensor(fetches.values[i], job, i);
  delete_values(&feeds);
  delete_values(&fetches);
  fclose(file);
  return fine;
}

int main(int count, char *arguments[]) {
  require(count > 1, "give the folder of a job, or several", arguments[0]);
  disable_xla();
  Model model = {0};
  bool fine = true;
  for (int i = 1; i < count; i++) fine &= run_job(&model, arguments[i]);
  fine &= close_model(&model);
  return fine ? 0 : 1;
}
