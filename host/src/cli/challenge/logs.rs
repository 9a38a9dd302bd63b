//! What a challenge wrote.

use super::super::admin::show::{text, time};
use super::Asker;
use super::look::each;
use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Method, Response};
use serde_json::Value;
use std::io::{self, Write};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The challenge.
    #[arg(value_parser = super::slug)]
    slug: String,
    /// Go on as more is written, until Ctrl-C. With --json an entry a line.
    #[arg(long)]
    follow: bool,
    /// Only what came after the entry of this number. Default: the last entries.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    /// At most so many entries, 1 to 2000; of what is there already with --follow.
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    limit: u32,
}

impl Logs {
    pub(super) async fn run(self, asker: &Asker) -> anyhow::Result<ExitCode> {
        let parts = ["challenges", self.slug.as_str(), "logs"];
        let limit = self.limit.to_string();
        let after = self.after.map(|after| after.to_string());
        let mut query = vec![("limit", limit.as_str())];
        query.extend(after.as_deref().map(|after| ("after", after)));
        if !self.follow {
            let answer = asker.api.get(&parts, &query).await?;
            return asker.print(&answer.body, |body| {
                each(body, "/entries").iter().map(line).collect()
            });
        }
        query.push(("follow", "true"));
        let url = asker.api.url(&parts, &query);
        let answer = asker.api.request(Method::GET, url).send().await;
        let answer = asker.api.accept(answer).await?;
        tokio::select! {
            followed = follow(answer, asker.json) => followed,
            ended = tokio::signal::ctrl_c() => {
                ended?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Prints entries as they come.
async fn follow(mut answer: Response, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut events = Events::default();
    while let Some(chunk) = answer.chunk().await.context("the log broke off")? {
        for data in events.read(&chunk) {
            let printed = match as_json {
                true => data + "\n",
                false => line(&serde_json::from_str(&data).unwrap_or(Value::String(data))),
            };
            let mut out = io::stdout().lock();
            match out.write_all(printed.as_bytes()).and_then(|()| out.flush()) {
                // Whoever read it has enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Ok(ExitCode::SUCCESS);
                }
                written => written?,
            }
        }
    }
    bail!("the host ended: nothing more will come")
}

/// An entry.
fn line(entry: &Value) -> String {
    let call = match entry.get("call").and_then(Value::as_u64) {
        Some(0) | None => String::new(),
        Some(call) => format!(" call {call}"),
    };
    let (id, at, stream) = (
        text(entry, "/id"),
        time(entry, "/at"),
        text(entry, "/stream"),
    );
    format!("{id} {at} {stream}{call}: {}\n", text(entry, "/text"))
}

/// Server-sent events, put together of what comes.
#[derive(Debug, Default)]
struct Events {
    /// A line that has not ended.
    begun: Vec<u8>,
    /// The data of an event that has not ended.
    data: Vec<String>,
}

impl Events {
    /// The data of each event that ended.
    fn read(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut ended = Vec::new();
        self.begun.extend_from_slice(chunk);
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if let Some(data) = line.strip_prefix("data:") {
                self.data
                    .push(data.strip_prefix(' ').unwrap_or(data).to_owned());
            } else if line.is_empty() && !self.data.is_empty() {
                ended.push(std::mem::take(&mut self.data).join("\n"));
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_put_together_of_whatever_pieces() {
        let text = ": hello\n\nid: 1\ndata: {\"a\":\n\ndata:two\r\ndata: lines ü\r\n\r\ndata: cut";
        let expected = ["{\"a\":", "two\nlines ü"];
        assert_eq!(Events::default().read(text.as_bytes()), expected);
        let mut events = Events::default();
        let each: Vec<String> = text.bytes().flat_map(|byte| events.read(&[byte])).collect();
        assert_eq!(each, expected);
    }

    #[test]
    fn a_line_tells_when_who_and_in_which_call() {
        let entry = json!({"id": 3, "at": 0.0, "stream": "stderr", "call": 2, "text": "a\u{7}"});
        assert_eq!(
            line(&entry),
            "3 1970-01-01T00:00:00Z stderr call 2: a\\u{7}\n"
        );
        let entry = json!({"id": 4, "at": 0.0, "stream": "host", "call": 0, "text": "b"});
        assert_eq!(line(&entry), "4 1970-01-01T00:00:00Z host: b\n");
    }
}
