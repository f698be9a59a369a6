"""Make torchvision importable beside a torch that is built for the CPU; run once in the environment of the tests.

The torchvision of the package index is built for CUDA: its compiled operators cannot be loaded, and its import stops at
"operator torchvision::nms does not exist". Declared, they are there in name, and the part in Python works, which is all
that vLLM's image processing uses.
"""

from importlib.util import find_spec
from pathlib import Path

MARK = "# declared for a torch without the compiled operators of torchvision\n"
FIRST = '@torch.library.register_fake("torchvision::nms")'
DECLARED = f"""{MARK}if not torchvision.extension._has_ops():
    for _name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{{_name}}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


{FIRST}"""


def main() -> None:
    spec = find_spec("torch")  # torchvision itself cannot be looked up without its import
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin).parents[1] / "torchvision" / "_meta_registrations.py"
    source = path.read_text(encoding="utf-8")
    if MARK not in source:
        assert source.count(FIRST) == 1, f"{path} is of another version of torchvision"
        path.write_text(source.replace(FIRST, DECLARED), encoding="utf-8")


if __name__ == "__main__":
    main()
