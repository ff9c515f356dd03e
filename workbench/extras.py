"""Optional packages: which extra of the installation brings what a part of the library needs."""

from __future__ import annotations

from importlib.util import find_spec

#: By part of the library: the extra, and packages that come with it and are imported without further ado.
NEEDS = {
    "workbench.media": ("video", ("cv2", "av", "PIL", "scipy", "tqdm")),
    "workbench.data": ("video", ("pandas", "pyarrow", "cv2", "av", "yaml", "tqdm")),
    "workbench.metrics": ("video", ("pandas", "scipy")),
    "workbench.explain": ("video", ("pandas", "cv2", "captum")),
    "workbench.study": ("training", ("pandas", "lightning", "pydantic", "safetensors")),
    "workbench.show": ("notebooks", ("plotly", "ipywidgets", "anywidget")),
    "workbench.views": ("notebooks", ("plotly", "lightning")),
    "workbench.lessons": ("training", ("cv2", "lightning", "pydantic")),
}


def check(part: str) -> None:
    """ModuleNotFoundError, one sentence with the command that installs it, where ``part`` of the library lacks one of
    its packages."""
    extra, packages = NEEDS[part]
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"{part} needs {', '.join(missing)}, not installed here: pip install 'video-pose-workbench[{extra}]'",
            name=missing[0],
        )
