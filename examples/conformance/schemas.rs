//! Tools whose schemas say more than a Rust type can: headers that mirror arguments, and the wider
//! vocabulary of JSON Schema 2020-12.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::tool::Arguments;
use tollgate::{CallContext, Tool, ToolError};

#[derive(Deserialize, JsonSchema)]
struct Region {
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

pub(crate) fn tools() -> Vec<Tool> {
    let tool = |name: &str, description: &str| Tool::new(name, description).any_authenticated();
    vec![
        tool("test_x_mcp_header", "Returns the region that it got.")
            .handler(async |_: CallContext, args: Region| Ok::<_, ToolError>(args.region)),
        tool(
            "json_schema_2020_12_tool",
            "Tool with JSON Schema 2020-12 features",
        )
        .input_schema(schema_2020_12())
        .handler(async |_: CallContext, args: Arguments| {
            Ok::<_, ToolError>(Value::Object(args).to_string())
        }),
    ]
}

fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}
