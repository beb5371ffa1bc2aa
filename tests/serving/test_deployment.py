"""The files in serving/ match each other, and what exports and the client send."""

import inspect
import re

import served
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfgans.export.warmup import read_warmup
from tfgans.serving import Client
from tfgans.serving.server import metrics
from tfgans.serving.server.models_config import VersionPolicy, read_models_config

FOLDER = served.ROOT / "serving"


def model():
    text = (FOLDER / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    return model


def test_models_and_batches():
    assert (model().name, model().base_path) == ("digits", "/models/digits")
    assert model().model_version_policy.latest.num_versions == 2
    text = re.sub(r"#.*", "", (FOLDER / "batching.config").read_text())
    values = dict(re.findall(r"(\w+) \{ value: (\d+) \}", text))
    assert " ".join(text.split()) == " ".join(f"{k} {{ value: {v} }}" for k, v in values.items())
    client = inspect.signature(Client).parameters["batch_size"].default
    calls = read_warmup(served.export("mixture").version)
    warm_up = max(len(value) for call in calls for value in call.inputs.values())
    assert int(values["max_batch_size"]) >= max(warm_up, client)
    # The file that a development server follows is the same.
    (config,) = read_models_config(FOLDER / "models.config")
    assert (config.name, config.policy) == ("digits", VersionPolicy(2))


def test_monitoring():
    assert f'path: "{metrics.PATH}"' in (FOLDER / "monitoring.config").read_text()
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    services = yaml.safe_load((FOLDER / "docker-compose.yaml").read_text())["services"]
    assert job["metrics_path"] == metrics.PATH
    ((service, port),) = [target.split(":") for target in job["static_configs"][0]["targets"]]
    assert any(mapping.endswith(f":{port}") for mapping in services[service]["ports"])
    mounts = dict(volume.rsplit(":", 2)[:2] for volume in services[service]["volumes"])
    assert mounts["../exported/digits"] == model().base_path
    assert mounts["."] == "/config"


def test_manifest():
    documents = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text())
    manifest = {document["kind"]: document["spec"] for document in documents}
    template = manifest["Deployment"]["template"]
    (container,) = template["spec"]["containers"]
    labels = template["metadata"]["labels"]
    assert manifest["Deployment"]["selector"]["matchLabels"] == labels
    assert manifest["Service"]["selector"] == labels
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert f"--port={ports['grpc']}" in container["args"]
    assert f"--rest_api_port={ports['rest']}" in container["args"]
    assert {port["targetPort"] for port in manifest["Service"]["ports"]} == set(ports)
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in template["spec"]["volumes"]}
    assert mounts["models"] == model().base_path
    assert f"--model_config_file={mounts['config']}/models.config" in container["args"]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    assert template["metadata"]["annotations"]["prometheus.io/path"] == metrics.PATH
    assert model().name in container["readinessProbe"]["httpGet"]["path"]
