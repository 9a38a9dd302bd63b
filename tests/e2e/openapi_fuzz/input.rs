//! Requests, made from the schemas of an OpenAPI document.

use serde_json::{Map, Value, json};

/// Deepest value that is made.
const DEPTH: u32 = 5;

/// What is there to be asked for.
pub(super) struct Known {
    pub(super) challenge: String,
    pub(super) hotkey: String,
    pub(super) day: String,
    pub(super) digest: String,
    pub(super) encrypted: String,
    /// SHA-256 of that.
    pub(super) sha256: String,
    /// A component that is in the host's store.
    pub(super) component: String,
    pub(super) gpu_server: String,
    pub(super) secret: String,
    /// Number of a token.
    pub(super) token: u64,
    /// An entry of the challenge `organic`, which failed.
    pub(super) entry: String,
    /// The iteration that it failed in.
    pub(super) iteration: i64,
    /// How many leaves the day's tree has.
    pub(super) leaves: u64,
    /// Id of a receipt of the day.
    pub(super) receipt: String,
}

/// Random numbers that are the same in each run: splitmix64.
pub(super) struct Chance(u64);

impl Chance {
    /// From the FNV-1a hash of a name.
    pub(super) fn new(name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Chance(hash)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Whether something with a chance of one in `n` is so.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// Texts that something may trip over. None is the address of anything.
const TEXTS: [&str; 26] = [
    "",
    " ",
    "a",
    "0",
    "-1",
    "null",
    "true",
    "[]",
    "{}",
    "\0",
    "a\0b",
    "\r\nx-injected: 1",
    "é",
    "e\u{301}",
    "\u{202e}gnirts",
    "\u{1f9ea}",
    "\u{ffff}",
    "../../etc/passwd",
    "..\\..\\windows",
    "%2e%2e%2f",
    "%00",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "sha256:0000",
];

const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e308",
    "1e-400",
    "0.1",
    "-0.0",
    "123456789012345678901234567890",
];

pub(super) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    kind: Option<String>,
    body: Vec<u8>,
}

impl Request {
    pub(super) fn plain(method: &str, target: &str) -> Self {
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            kind: None,
            body: Vec::new(),
        }
    }

    /// The first round gives only what it must, the next two are as good as can be
    /// known, and in later ones anything may be wrong.
    pub(super) fn make(
        document: &Value,
        path: &str,
        method: &str,
        operation: &Value,
        known: &Known,
        round: u64,
        chance: &mut Chance,
    ) -> Self {
        let mut maker = Maker {
            document,
            known,
            is_organic: path.contains("/organic/"),
            is_receipt: path.contains("/receipts/"),
            round,
            chance,
        };
        let mut request = Request::plain(&method.to_uppercase(), path);
        let mut query = Vec::new();
        let parameters = operation["parameters"].as_array();
        for parameter in parameters.into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let required = parameter["required"] == true;
            if !required && !maker.optional() {
                continue;
            }
            let value = maker.parameter(name, &parameter["schema"]);
            match parameter["in"].as_str().unwrap() {
                "path" => {
                    // An empty one would be another path.
                    let value = if value.is_empty() { "x" } else { &value };
                    let value = maker.escape(value);
                    let place = format!("{{{name}}}");
                    request.target = request.target.replace(&place, &value);
                }
                "query" => {
                    query.push(format!("{}={}", maker.escape(name), maker.escape(&value)));
                    if maker.bad(8) {
                        query.push(query[0].clone());
                    }
                }
                "header" => {
                    // What cannot be in a header is not what is tested here.
                    let value: String = value.chars().filter(|c| !c.is_control()).collect();
                    request.headers.push((name.to_owned(), value));
                }
                other => panic!("a parameter in {other}"),
            }
        }
        if maker.bad(6) {
            let (name, value) = (maker.text(), maker.text());
            query.push(format!("{}={}", maker.escape(&name), maker.escape(&value)));
        }
        if !query.is_empty() {
            request.target = format!("{}?{}", request.target, query.join("&"));
        }
        if let Some(content) = operation["requestBody"]["content"].as_object() {
            let (kind, content) = content.iter().next().unwrap();
            maker.body(&mut request, kind, &content["schema"]);
        } else if maker.bad(5) {
            request.kind = Some("application/json".to_owned());
            request.body = b"{\"unexpected\": true}".to_vec();
        }
        request
    }

    pub(super) fn bytes(&self, address: &str, token: Option<&str>) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n",
            self.method, self.target
        );
        if let Some(token) = token {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        if let Some(kind) = &self.kind {
            head.push_str(&format!("content-type: {kind}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

struct Maker<'a> {
    document: &'a Value,
    known: &'a Known,
    /// Whether the operation is one of organic scoring.
    is_organic: bool,
    /// Whether it is one of receipts.
    is_receipt: bool,
    round: u64,
    chance: &'a mut Chance,
}

impl Maker<'_> {
    /// Whether to give what may be left out.
    fn optional(&mut self) -> bool {
        self.round > 0 && self.chance.one_in(2)
    }

    /// One in `n`, if anything may be bad.
    fn bad(&mut self, n: usize) -> bool {
        self.round > 2 && self.chance.one_in(n)
    }

    fn text(&mut self) -> String {
        match self.chance.below(30) {
            0 => "x".repeat(5_000),
            1 => "é".repeat(300),
            _ => self.chance.of(&TEXTS).to_owned(),
        }
    }

    fn number(&mut self) -> Value {
        let number = self.chance.of(&NUMBERS);
        // Some are none of JSON that the host reads.
        serde_json::from_str(number).unwrap_or_else(|_| json!(number))
    }

    /// Everything that is not a letter or a digit, mostly.
    fn escape(&mut self, text: &str) -> String {
        // Not as UTF-8, or not at all.
        if self.bad(20) {
            return self
                .chance
                .of(&["%ff%fe", "%", "%zz", "%c0%af", "%25", "%2F"])
                .to_owned();
        }
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect()
    }

    /// The value of something with a name that tells what it is.
    fn named(&mut self, name: &str, schema: &Value) -> Option<String> {
        let known = self.known;
        Some(match name {
            "challenge" if self.is_organic => "organic".to_owned(),
            "id" if self.is_organic && schema["type"] == "integer" => known.iteration.to_string(),
            "id" if self.is_organic => known.entry.clone(),
            "state" if self.is_organic => self.chance.of(&["failed", "queued", "done"]).to_owned(),
            "from" | "to" if schema["type"] == "integer" => known.leaves.to_string(),
            "id" if self.is_receipt => known.receipt.clone(),
            "id" if schema["type"] == "integer" => known.token.to_string(),
            "id" => known.gpu_server.clone(),
            "name" | "secrets" => known.secret.clone(),
            "base_url" => "http://127.0.0.1:1".to_owned(),
            "sha256" => known.sha256.clone(),
            "slug" | "challenge" | "challenge_name" | "subject" => known.challenge.clone(),
            "hotkey" | "miner_hotkey" => known.hotkey.clone(),
            "day" => known.day.clone(),
            "digest" => format!("sha256:{}", known.digest),
            "artifact" => format!("sha256:{}", known.component),
            "encrypted_commit" => known.encrypted.clone(),
            "dry_run" => self.chance.of(&["true", "false", "false"]).to_owned(),
            "data" => self.chance.of(&["keep", "purge"]).to_owned(),
            "limit" => self.chance.of(&["1", "10", "100"]).to_owned(),
            "If-Match" => self
                .chance
                .of(&["*", "*", "*", "\"1\"", "\"2\", \"3\"", "W/\"1\""])
                .to_owned(),
            "Idempotency-Key" => format!("key-{}", self.chance.below(100)),
            _ => return None,
        })
    }

    fn parameter(&mut self, name: &str, schema: &Value) -> String {
        if self.bad(3) {
            return self.text();
        }
        if let Some(named) = self.named(name, schema) {
            return named;
        }
        match self.value(schema, 0) {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }

    fn body(&mut self, request: &mut Request, kind: &str, schema: &Value) {
        request.kind = Some(kind.to_owned());
        if kind != "application/json" {
            let length = if self.bad(4) { 100_000 } else { 100 };
            request.body = (0..length).map(|_| self.chance.next() as u8).collect();
            if self.chance.one_in(2) {
                request.body.splice(..0, *b"\0asm\x0d\0\x01\0");
            }
            return;
        }
        let value = self.value(schema, 0);
        let value = self.worse(value);
        request.body = value.to_string().into_bytes();
        if self.bad(10) {
            let end = self.chance.below(request.body.len() + 1);
            request.body.truncate(end);
        }
        if self.bad(10) && !request.body.is_empty() {
            let at = self.chance.below(request.body.len());
            request.body[at] = self.chance.next() as u8;
        }
        if self.bad(20) {
            request.body = "[".repeat(10_000).into_bytes();
        }
        if self.bad(10) {
            let kinds = [
                "text/plain",
                "application/xml",
                "application/json; charset=latin1",
                "",
            ];
            request.kind = Some(self.chance.of(&kinds).to_owned());
        }
    }

    /// A value with something changed, left out or added, perhaps.
    fn worse(&mut self, mut value: Value) -> Value {
        if !self.bad(2) {
            return value;
        }
        let other = self.anything();
        match &mut value {
            Value::Object(fields) if !fields.is_empty() => {
                let at = self.chance.below(fields.len());
                let name = fields.keys().nth(at).unwrap().clone();
                match self.chance.below(4) {
                    0 => drop(fields.remove(&name)),
                    1 => drop(fields.insert(name, Value::Null)),
                    2 => drop(fields.insert(self.text(), other)),
                    _ => {
                        let inner = fields[&name].take();
                        let inner = match inner {
                            Value::Object(_) | Value::Array(_) if self.chance.one_in(2) => {
                                self.worse(inner)
                            }
                            _ => other,
                        };
                        fields.insert(name, inner);
                    }
                }
                value
            }
            Value::Array(items) if !items.is_empty() => {
                let at = self.chance.below(items.len());
                items[at] = other;
                value
            }
            _ => other,
        }
    }

    fn anything(&mut self) -> Value {
        match self.chance.below(7) {
            0 => Value::Null,
            1 => Value::Bool(self.chance.one_in(2)),
            2 | 3 => self.number(),
            4 => json!(self.text()),
            5 => json!([self.number(), self.text()]),
            _ => json!({ self.text(): self.number() }),
        }
    }

    /// A value of a schema.
    fn value(&mut self, schema: &Value, depth: u32) -> Value {
        let schema = resolve(self.document, schema);
        if depth > DEPTH {
            return Value::Null;
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(all) = schema[choice].as_array() {
                let at = self.chance.below(all.len());
                return self.value(&all[at], depth);
            }
        }
        if let Some(all) = schema["allOf"].as_array() {
            let mut whole = Map::new();
            for part in all {
                if let Value::Object(fields) = self.value(part, depth) {
                    whole.extend(fields);
                }
            }
            return Value::Object(whole);
        }
        if let Some(values) = schema["enum"].as_array() {
            return values[self.chance.below(values.len())].clone();
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => &kinds[self.chance.below(kinds.len())],
            kind => kind,
        };
        match kind.as_str() {
            Some("string") => json!(self.text()),
            Some("integer") => match self.bad(4) {
                true => self.number(),
                false => json!(self.chance.below(100)),
            },
            Some("number") => match self.bad(4) {
                true => self.number(),
                false => json!(self.chance.below(1_000) as f64 / 10.0),
            },
            Some("boolean") => json!(self.chance.one_in(2)),
            Some("array") => {
                let length = self.chance.below(3);
                (0..length)
                    .map(|_| self.value(&schema["items"], depth + 1))
                    .collect()
            }
            Some("null") => Value::Null,
            _ => self.object(schema, depth),
        }
    }

    fn object(&mut self, schema: &Value, depth: u32) -> Value {
        let mut fields = Map::new();
        if let Some(properties) = schema["properties"].as_object() {
            let required = schema["required"].as_array();
            for (name, property) in properties {
                let needed = required.is_some_and(|names| names.iter().any(|r| r == name));
                // It is needed, and has a default in the document that is refused.
                let needed = needed || name == "base_url";
                if needed || self.optional() {
                    let value = self.field(name, property, depth);
                    fields.insert(name.clone(), value);
                }
            }
        } else if schema["additionalProperties"].is_object() {
            let value = self.value(&schema["additionalProperties"], depth + 1);
            fields.insert("SOME_NAME".to_owned(), value);
        } else {
            self.record(&mut fields);
        }
        Value::Object(fields)
    }

    fn field(&mut self, name: &str, schema: &Value, depth: u32) -> Value {
        if name == "id" {
            // Of something new.
            return json!(format!("gpu-{}", 2 + self.chance.below(1_000)));
        }
        match self.named(name, schema) {
            Some(named) if resolve(self.document, schema)["type"] == "string" => json!(named),
            _ => self.value(schema, depth + 1),
        }
    }

    /// Of a record only the answer is described: its fields are tried.
    fn record(&mut self, fields: &mut Map<String, Value>) {
        let view = &self.document["components"]["schemas"]["ChallengeView"]["properties"];
        let Some(view) = view.as_object() else {
            return;
        };
        let view = view.clone();
        for (name, schema) in &view {
            if self.chance.one_in(6) {
                let value = self.field(name, schema, 1);
                fields.insert(name.clone(), value);
            }
        }
        for name in ["slug", "artifact"] {
            if self.chance.one_in(2) {
                let named = self.named(name, &Value::Null);
                fields.insert(name.to_owned(), json!(named));
            }
        }
    }
}

/// The schema that a reference is to.
pub(super) fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            let at = reference.strip_prefix('#').unwrap();
            resolve(document, document.pointer(at).unwrap())
        }
        None => schema,
    }
}
