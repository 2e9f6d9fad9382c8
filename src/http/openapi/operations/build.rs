//! What operations are made of. The errors that come with a part (a body, a parameter, a role) are added
//! with it, so that none is forgotten.

use serde_json::{Value, json};

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
/// The largest page, as the gate has it.
const PAGE_MAX: u32 = crate::gate::PAGE_MAX;

/// One operation.
pub(super) struct Operation {
    method: &'static str,
    value: Value,
}

/// Something that any token may ask.
pub(super) fn get(id: &str, tag: &str, summary: &str) -> Operation {
    Operation::new("get", "read", id, tag, summary)
}

/// Something that changes what is.
pub(super) fn post(id: &str, tag: &str, summary: &str) -> Operation {
    Operation::new("post", "admin", id, tag, summary)
        .refuses("403", "The token's role does not allow it")
}

/// A text.
pub(super) fn text(what: &str, example: &str) -> Value {
    described(what, &json!({ "type": "string" }), &json!(example))
}

/// A whole number.
pub(super) fn number(what: &str, example: i64) -> Value {
    described(
        what,
        &json!({ "type": "integer", "format": "int64" }),
        &json!(example),
    )
}

/// A time.
pub(super) fn time(what: &str) -> Value {
    let schema = json!({ "type": "string", "format": "date-time" });
    described(what, &schema, &json!("2027-03-01T00:00:00Z"))
}

/// One of a few words.
pub(super) fn choice(what: &str, words: &[&str]) -> Value {
    let schema = json!({ "type": "string", "enum": words });
    described(what, &schema, &json!(words.first()))
}

fn described(what: &str, schema: &Value, example: &Value) -> Value {
    json!({ "description": what, "schema": schema, "example": example })
}

/// A schema of the components.
fn named(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

impl Operation {
    fn new(method: &'static str, role: &str, id: &str, tag: &str, summary: &str) -> Self {
        let value = json!({
            "operationId": id,
            "tags": [tag],
            "summary": summary,
            "x-role": role,
            "parameters": [],
            "responses": {},
        });
        Self { method, value }
            .refuses("401", "No token, or none that is known")
            .refuses(
                "429",
                "Too many wrong tokens came from this address: `Retry-After` says how long to wait",
            )
            .refuses("408", "It took longer than server.request_timeout_ms")
            .refuses(
                "500",
                "An error inside bookgate, or a damaged row: the log says more",
            )
            .refuses("503", "The store does not answer at the moment: ask again")
    }

    /// What one should know beside.
    pub(super) fn about(mut self, text: &str) -> Self {
        self.value["description"] = text.into();
        self
    }

    /// Another role than the usual one is enough.
    pub(super) fn role(mut self, role: &str) -> Self {
        self.value["x-role"] = role.into();
        self
    }

    /// Asked without a token.
    pub(super) fn open(mut self) -> Self {
        self.value["security"] = json!([]);
        self.remove(&["401", "429", "503"])
    }

    /// A variable part of the path.
    pub(super) fn path(self, name: &str, parameter: Value) -> Self {
        self.parameter("path", name, true, parameter)
    }

    /// What may follow the `?`.
    pub(super) fn query(self, name: &str, parameter: Value) -> Self {
        self.parameter("query", name, false, parameter)
    }

    /// A header that has to be sent.
    pub(super) fn header(self, name: &str, what: &str, bytes_max: u32) -> Self {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": bytes_max });
        let parameter = described(what, &schema, &json!("invoice-2031"));
        self.parameter("header", name, true, parameter)
    }

    fn parameter(mut self, place: &str, name: &str, required: bool, parameter: Value) -> Self {
        let mut parameter = parameter;
        parameter["in"] = place.into();
        parameter["name"] = name.into();
        parameter["required"] = required.into();
        if let Some(parameters) = self.value["parameters"].as_array_mut() {
            parameters.push(parameter);
        }
        self.refuses(
            "400",
            "The request makes no sense; `detail` names what and says what would",
        )
    }

    /// A body that has to be sent.
    pub(super) fn takes(self, schema: &str, example: &Value) -> Self {
        self.body(schema, true, example)
            .refuses("415", "The body is not declared as JSON")
    }

    /// A body that may be sent.
    pub(super) fn may_take(self, schema: &str, example: &Value) -> Self {
        self.body(schema, false, example)
    }

    fn body(mut self, schema: &str, required: bool, example: &Value) -> Self {
        let content = json!({ JSON: { "schema": named(schema), "example": example } });
        self.value["requestBody"] = json!({ "required": required, "content": content });
        self.refuses(
            "400",
            "The request makes no sense; `detail` names what and says what would",
        )
        .refuses("413", "The body is larger than 64 KiB")
    }

    /// There may be no such thing.
    pub(super) fn missing(self) -> Self {
        self.refuses("404", "There is no such thing")
    }

    /// It may not be the time for it.
    pub(super) fn conflicts(self) -> Self {
        self.refuses(
            "409",
            "It cannot be done as things stand; `detail` says why",
        )
    }

    /// It may be understood and refused.
    pub(super) fn unprocessable(self, what: &str) -> Self {
        self.refuses("422", what)
    }

    /// 200 with one thing.
    pub(super) fn answers(self, schema: &str) -> Self {
        self.succeeds("200", "Done", &named(schema))
    }

    /// 201 with one thing.
    pub(super) fn creates(mut self, schema: &str) -> Self {
        self = self.succeeds("201", "Done, or done before under this key", &named(schema));
        self.value["responses"]["201"]["headers"]["Idempotent-Replayed"] = json!({
            "description": "`true` where the key and the body were used before",
            "schema": { "type": "string", "enum": ["true"] },
        });
        self
    }

    /// 202 without a body.
    pub(super) fn accepts(self) -> Self {
        self.response("202", json!({ "description": "It is done soon" }))
    }

    /// 202 with one thing.
    pub(super) fn orders(self, schema: &str) -> Self {
        self.succeeds("202", "It is done soon", &named(schema))
    }

    /// 202 with all of something.
    pub(super) fn orders_list(self, schema: &str) -> Self {
        let all = json!({ "type": "array", "items": named(schema) });
        self.succeeds("202", "It is done soon", &all)
    }

    /// 200 with all of something.
    pub(super) fn lists(self, schema: &str) -> Self {
        let all = json!({ "type": "array", "items": named(schema) });
        self.succeeds("200", "All of them", &all)
    }

    /// 200 with the one page that there is.
    pub(super) fn page_of(self, schema: &str) -> Self {
        let page = json!({
            "type": "object",
            "required": ["items"],
            "properties": { "items": { "type": "array", "items": named(schema) } },
            "additionalProperties": false,
        });
        self.succeeds("200", "All of them", &page)
    }

    /// 200 with a page, and the parameters of pages.
    pub(super) fn pages_of(self, schema: &str) -> Self {
        let limit = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX, "default": 50 });
        let what = format!("How many at the most; more than {PAGE_MAX} is {PAGE_MAX}, 0 is 1");
        let page = json!({
            "type": "object",
            "required": ["items"],
            "properties": {
                "items": { "type": "array", "maxItems": PAGE_MAX, "items": named(schema) },
                "next": {
                    "type": "string",
                    "description": "`after` of the next page; missing on the last",
                },
            },
            "additionalProperties": false,
        });
        self.query("after", text("`next` of the page before", "17"))
            .query("limit", described(&what, &limit, &json!(50)))
            .succeeds("200", "A page", &page)
    }

    /// 200 with a text.
    pub(super) fn says(self, kind: &str) -> Self {
        let content = json!({ kind: { "schema": { "type": "string" } } });
        self.response(
            "200",
            json!({ "description": "A text", "content": content }),
        )
        .remove(&["503"])
    }

    /// 200 with anything.
    pub(super) fn says_anything(self, kind: &str) -> Self {
        let content = json!({ kind: { "schema": true } });
        self.response("200", json!({ "description": "Done", "content": content }))
    }

    /// 503 with a text.
    pub(super) fn or_not_ready(self) -> Self {
        let content = json!({ "text/plain; charset=utf-8": { "schema": { "type": "string" } } });
        let what = "Webhooks cannot be stored";
        self.response("503", json!({ "description": what, "content": content }))
    }

    fn succeeds(self, status: &str, what: &str, schema: &Value) -> Self {
        let content = json!({ JSON: { "schema": schema } });
        self.response(status, json!({ "description": what, "content": content }))
    }

    fn refuses(self, status: &str, what: &str) -> Self {
        let content = json!({ PROBLEM: { "schema": named("Problem") } });
        self.response(status, json!({ "description": what, "content": content }))
    }

    fn response(mut self, status: &str, mut response: Value) -> Self {
        response["headers"]["X-Request-Id"] = json!({
            "description": "Names this request in the log and in the audit log",
            "schema": { "type": "string" },
        });
        self.value["responses"][status] = response;
        self
    }

    fn remove(mut self, statuses: &[&str]) -> Self {
        if let Some(responses) = self.value["responses"].as_object_mut() {
            responses.retain(|status, _| !statuses.contains(&status.as_str()));
        }
        self
    }

    /// Puts it in its place.
    pub(super) fn at(self, path: &'static str) -> (&'static str, &'static str, Value) {
        (path, self.method, self.value)
    }
}
