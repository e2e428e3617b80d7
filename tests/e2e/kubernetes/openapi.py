"""Schemas for kubeconform from what an API server says of itself, as its usual ones come from the network."""
import json
import pathlib

INT_OR_STRING = {"oneOf": [{"type": "string"}, {"type": "integer"}]}
QUANTITY = {"oneOf": [{"type": "string"}, {"type": "number"}]}


def strict(schema):
    """No field but those that are named."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string":
        return INT_OR_STRING
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/definitions/", "definitions.json#/definitions/")}
    made = {key: {name: strict(value) for name, value in item.items()} if key in ("properties", "definitions") else strict(item)
            for key, item in schema.items() if not key.startswith("x-")}
    if "properties" in made and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


def write_schemas(server, folder):
    """A file for each kind; the template for kubeconform's -schema-location."""
    folder = pathlib.Path(folder)
    definitions = server.call("GET", "/openapi/v2").json["definitions"]
    made = {name: strict(schema) for name, schema in definitions.items()}
    made["io.k8s.apimachinery.pkg.api.resource.Quantity"] = QUANTITY
    (folder / "definitions.json").write_text(json.dumps({"definitions": made}))
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            file = "-".join(filter(None, [kind["kind"].lower(), group, kind["version"]])) + ".json"
            (folder / file).write_text(json.dumps({"$ref": f"definitions.json#/definitions/{name}"}))
    return f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
