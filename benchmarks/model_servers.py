"""The servers of models that P5 compares with: how each is installed, fed and started."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_MLSERVER = """
import numpy as np, onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
class Hazards(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        return True
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        x = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        out = self.session.run(None, {"x": x})[0]
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("hazards", out)]
        )
"""

_BENTOML = """
import bentoml, numpy as np, onnxruntime
@bentoml.service(workers=1)
class Hazards:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession("MODEL", options)
    @bentoml.api
    def score(self, x: list[list[float]]) -> list[list[float]]:
        return self.session.run(None, {"x": np.asarray(x, np.float32)})[0].tolist()
"""

_RAY = """
import numpy as np, onnxruntime, sys, time
from ray import serve
from starlette.requests import Request
@serve.deployment(num_replicas=1, max_ongoing_requests=64)
class Hazards:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession("MODEL", options)
    async def __call__(self, request: Request):
        x = np.asarray((await request.json())["x"], np.float32)
        return self.session.run(None, {"x": x})[0].tolist()
serve.start(http_options={"host": "127.0.0.1", "port": PORT})
serve.run(Hazards.bind(), route_prefix="/score")
while True: time.sleep(1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """One server of models.

    ``goal`` is by how many times ours must be faster. ``start`` writes what it needs below a
    folder and gives its command line; ``path`` is where it answers and ``body`` writes a request
    for one row of features. ``modules`` are what ``packages`` bring.
    """

    name: str
    goal: float
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    path: str
    body: Callable[[list[float]], str]
    start: Callable[[Path, Path, Path, int], Sequence[str]]


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / "bin" / "python"


def install(rival: Rival, environments: Path, seconds: int) -> Path | str:
    """The environment that the rival can run in, made if need be; or why there is none.

    One that is there already is used as it is, so that nothing is fetched twice.
    """
    if not rival.packages:
        return Path(sys.executable).parent.parent
    environment = environments / rival.name.lower().replace(" ", "-")
    if _has(environment, rival.modules):
        return environment
    if not python_of(environment).exists():
        venv.create(environment, with_pip=True)
    command = [str(python_of(environment)), "-m", "pip", "install", "--quiet"]
    command += ["--disable-pip-version-check", "--prefer-binary", *rival.packages]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"its installation took longer than {seconds} s"
    if done.returncode != 0:
        return f"it cannot be installed: {done.stderr.strip().splitlines()[-1][:200]}"
    return environment


def _has(environment: Path, modules: Sequence[str]) -> bool:
    """Whether an environment is there and knows all of ``modules``."""
    if not python_of(environment).exists():
        return False
    command = [str(python_of(environment)), "-c", f"import {', '.join(modules)}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _mlflow(environment: Path, root: Path, model: Path, port: int) -> Sequence[str]:
    import mlflow.onnx
    import onnx

    directory = root / "mlflow-model"
    mlflow.onnx.save_model(
        onnx.load(model),
        str(directory),
        onnx_session_options={"intra_op_num_threads": 1},
    )
    command = [str(python_of(environment)), "-m", "mlflow", "models", "serve", "-m", str(directory)]
    return [*command, "--env-manager", "local", "-p", str(port), "-w", "1"]


def _mlserver(environment: Path, root: Path, model: Path, port: int) -> Sequence[str]:
    folder = root / "mlserver-model"
    folder.mkdir()
    (folder / "hazards_runtime.py").write_text(_MLSERVER)
    settings = {"host": "127.0.0.1", "http_port": port, "parallel_workers": 0, "debug": False}
    settings |= {"grpc_port": port + 1, "metrics_port": port + 2}
    (folder / "settings.json").write_text(json.dumps(settings))
    described = {"name": "hazards", "implementation": "hazards_runtime.Hazards"}
    described["parameters"] = {"uri": str(model)}  # type: ignore[assignment]
    (folder / "model-settings.json").write_text(json.dumps(described))
    return [str(environment / "bin" / "mlserver"), "start", str(folder)]


def _bentoml(environment: Path, root: Path, model: Path, port: int) -> Sequence[str]:
    (root / "bento_hazards.py").write_text(_BENTOML.replace("MODEL", str(model)))
    command = [str(environment / "bin" / "bentoml"), "serve", "bento_hazards:Hazards"]
    return [*command, "--working-dir", str(root), "--host", "127.0.0.1", "--port", str(port)]


def _ray(environment: Path, root: Path, model: Path, port: int) -> Sequence[str]:
    script = root / "ray_hazards.py"
    script.write_text(_RAY.replace("MODEL", str(model)).replace("PORT", str(port)))
    return [str(python_of(environment)), str(script)]


def _rows(row: list[float]) -> str:
    return json.dumps({"x": [row]})


def _mlflow_body(row: list[float]) -> str:
    return json.dumps({"inputs": {"x": [row]}})


def _v2_body(row: list[float]) -> str:
    tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP32", "data": row}
    return json.dumps({"inputs": [tensor]})


RIVALS = (
    Rival(
        name="mlflow models serve",
        goal=7.0,
        packages=(),
        modules=(),
        path="/invocations",
        body=_mlflow_body,
        start=_mlflow,
    ),
    Rival(
        name="MLServer",
        goal=5.0,
        packages=("mlserver", "onnxruntime"),
        modules=("mlserver", "onnxruntime"),
        path="/v2/models/hazards/infer",
        body=_v2_body,
        start=_mlserver,
    ),
    Rival(
        name="BentoML",
        goal=10.0,
        packages=("bentoml", "onnxruntime"),
        modules=("bentoml", "onnxruntime"),
        path="/score",
        body=_rows,
        start=_bentoml,
    ),
    Rival(
        name="Ray Serve",
        goal=10.0,
        packages=("ray[serve]", "onnxruntime"),
        modules=("ray.serve", "onnxruntime"),
        path="/score",
        body=_rows,
        start=_ray,
    ),
)
