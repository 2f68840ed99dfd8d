"""What pnnx and ncnn do not understand of each other, rewritten before and after the conversion.

Two things of a network that was born in TensorFlow get lost on the way, since its "same" padding
puts the odd row and column at the bottom and the right. pnnx hands an operation `Pad` through as it
is, and ncnn calls it `Padding` and wants numbers. And a transposed convolution that is cut on two
sides only is none that PyTorch has, so pnnx drops it: it becomes an uncut one and a crop.

Source: ncnn's operation parameters (Tencent/ncnn, docs/developer-guide).

Chapter: TFLite conversion.
"""

import re
from typing import TYPE_CHECKING

from seglib.errors import SeglibError

if TYPE_CHECKING:
    import onnx

# "To the end" in ONNX's Slice.
_END = 2**31 - 1


def split_crops(made: "onnx.ModelProto") -> None:
    """Replace each unevenly cut ConvTranspose of a graph by an uncut one and a Slice behind it."""
    from onnx import helper

    nodes = []
    for node in made.graph.node:
        nodes.append(node)
        cuts = next((list(a.ints) for a in node.attribute if a.name == "pads"), [])
        if node.op_type != "ConvTranspose" or cuts[:2] == cuts[2:]:
            continue
        for attribute in node.attribute:
            if attribute.name == "pads":
                attribute.ints[:] = [0, 0, 0, 0]
        result, whole = node.output[0], f"{node.output[0]}_whole"
        node.output[0] = whole
        bounds = {
            "starts": cuts[:2],
            "ends": [-cut if cut else _END for cut in cuts[2:]],
            "axes": [2, 3],
        }
        names = []
        for name, values in bounds.items():
            names.append(f"{result}_{name}")
            made.graph.initializer.append(
                helper.make_tensor(names[-1], 7, [len(values)], values)  # 7: int64
            )
        nodes.append(helper.make_node("Slice", [whole, *names], [result], f"{node.name}_crop"))
    del made.graph.node[:]
    made.graph.node.extend(nodes)


def clean_param(param: str, before: str) -> str:
    """Return the text of a `.ncnn.param` file with clean names and ncnn's own padding.

    The blobs `in0` and `out0` become `image` and `mask`. An operation `Pad` becomes `Padding`, with
    the arguments 0=top, 1=bottom, 2=left, 3=right, 4=0 for a constant and 5=its value.

    Args:
        param: the text that pnnx wrote.
        before: pnnx's own form of the graph (`.pnnx.param`), which still has the amounts.

    Raises:
        SeglibError: something else than height and width is padded.
    """
    amounts = dict(re.findall(r"(?m)^Pad +(\S+) .*\bpads=\(([-\d,]+)\)", before))

    def padding(line: re.Match[str]) -> str:
        sides = [int(side) for side in amounts.get(line[1], "").split(",") if side]
        if len(sides) != 8 or any(sides[:2] + sides[4:6]) or min(sides) < 0:
            raise SeglibError(
                f"the padding {line[1]} with the amounts {sides} is none of height and width; "
                "ncnn has no other"
            )
        _, _, top, left, _, _, bottom, right = sides
        return f"Padding {line[1]} {line[2]} 0={top} 1={bottom} 2={left} 3={right} 4=0 5=0.0"

    text = re.sub(r"(?m)^Pad +(\S+) +(.*?)[ \t]*$", padding, param)
    return re.sub(r"(?<= )in0\b", "image", re.sub(r"(?<= )out0\b", "mask", text))
