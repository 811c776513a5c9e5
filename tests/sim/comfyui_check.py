"""What ComfyUI finds wrong with a graph before it takes it, by the descriptions of its nodes (`GET /object_info`)."""

from collections.abc import Mapping
from typing import Any, Final

Graph = Mapping[str, Mapping[str, Any]]
Nodes = Mapping[str, Mapping[str, Any]]
OUTPUTS: Final = ("Save", "Preview", "VHS_VideoCombine")


def is_output(class_type: str, nodes: Nodes) -> bool:
    """Tell whether a node of this class saves something."""
    about = nodes.get(class_type)
    return bool(about.get("output_node")) if about else class_type.startswith(OUTPUTS)


def problem(kind: str, message: str, details: str, **extra: Any) -> dict[str, Any]:
    """Write what is wrong."""
    return {"type": kind, "message": message, "details": details, "extra_info": extra}


def refusal(graph: Graph, nodes: Nodes) -> dict[str, Any] | None:
    """Find what keeps a graph from being taken; None if nothing does. Without descriptions few things are seen."""
    for node_id, node in graph.items():
        class_type = node.get("class_type")
        if class_type is None or (nodes and class_type not in nodes):
            said = f"node {class_type} does not exist" if class_type else "a node is missing the class_type property"
            found = problem("invalid_prompt", f"Cannot execute because {said}.", f"Node ID '#{node_id}'")
            return {"error": found, "node_errors": {}}
    ends = [node_id for node_id, node in graph.items() if is_output(node["class_type"], nodes)]
    if not ends:
        return {"error": problem("prompt_no_outputs", "Prompt has no outputs", ""), "node_errors": {}}
    errors = {node_id: found for node_id, node in graph.items() if (found := node_problems(node, graph, nodes))}
    return failed(errors, graph, ends) if errors else None


def failed(errors: Mapping[str, list[dict[str, Any]]], graph: Graph, ends: list[str]) -> dict[str, Any]:
    """Write the refusal of a graph with errors in some nodes."""
    details = "\n".join(f"{one['message']}: {one['details']}" for found in errors.values() for one in found)
    told = problem("prompt_outputs_failed_validation", "Prompt outputs failed validation", details)
    by_node = {
        node_id: {"errors": found, "dependent_outputs": ends, "class_type": graph[node_id]["class_type"]}
        for node_id, found in errors.items()
    }
    return {"error": told, "node_errors": by_node}


def node_problems(node: Mapping[str, Any], graph: Graph, nodes: Nodes) -> list[dict[str, Any]]:
    """Find what is wrong with the inputs of a node."""
    wanted = nodes.get(node["class_type"], {}).get("input", {})
    given = node.get("inputs", {})
    found = [
        problem("required_input_missing", "Required input is missing", name, input_name=name)
        for name in wanted.get("required", {})
        if name not in given
    ]
    for name, config in {**wanted.get("required", {}), **wanted.get("optional", {})}.items():
        if name in given and (wrong := value_problem(name, given[name], config, graph, nodes)):
            found.append(wrong)
    return found


def value_problem(name: str, value: Any, config: Any, graph: Graph, nodes: Nodes) -> dict[str, Any] | None:
    """Find what is wrong with one input: a link, or a value with a list of choices or limits."""
    kind, options = config[0], (config[1] if len(config) > 1 else {})
    about = {"input_name": name, "input_config": config, "received_value": value}
    if isinstance(value, list):
        return link_problem(value, kind, graph, nodes, about)
    choices = kind if isinstance(kind, list) else options.get("options") if kind == "COMBO" else None
    if choices == []:
        return None  # the content of a folder, which a node that takes uploads looks into itself
    if choices is not None:
        details = f"{name}: '{value}' not in {choices}"
        return problem("value_not_in_list", "Value not in list", details, **about) if value not in choices else None
    return number_problem(name, value, kind, options, about) if kind in {"INT", "FLOAT"} else None


def number_problem(
    name: str, value: Any, kind: str, options: Mapping[str, Any], about: dict[str, Any]
) -> dict[str, Any] | None:
    """Find what is wrong with a number."""
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        message = f"Failed to convert an input value to a {kind} value"
        return problem("invalid_input_type", message, f"{name}, {value}, {error}", **about)
    if number < options.get("min", number):
        message = f"Value {value} smaller than min of {options['min']}"
        return problem("value_smaller_than_min", message, name, **about)
    if number > options.get("max", number):
        return problem("value_bigger_than_max", f"Value {value} bigger than max of {options['max']}", name, **about)
    return None


def link_problem(
    link: list[Any], kind: Any, graph: Graph, nodes: Nodes, about: dict[str, Any]
) -> dict[str, Any] | None:
    """Find what is wrong with a link: its form, or what comes through it."""
    name = about["input_name"]
    if len(link) != 2 or str(link[0]) not in graph:
        message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
        return problem("bad_linked_input", message, name, **about)
    outputs = nodes.get(graph[str(link[0])]["class_type"], {}).get("output")
    received = outputs[link[1]] if outputs and link[1] < len(outputs) else None
    if received is None or not isinstance(kind, str) or "*" in {kind, received} or received in kind.split(","):
        return None
    details = f"{name}, received_type({received}) mismatch input_type({kind})"
    return problem("return_type_mismatch", "Return type mismatch between linked nodes", details, **about)
