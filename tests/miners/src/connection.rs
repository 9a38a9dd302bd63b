//! One connection to a miner.

use crate::behaviour::Behaviour;
use crate::http::{self, Request, answer, head};
use crate::miner::DevMiner;
use crate::signature;
use serde_json::{Value, json};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

const JSON: &str = "application/json";

/// How much a huge answer is, in bytes.
const HUGE: u64 = 1 << 30;

/// Bytes in one piece of it.
const PIECE: usize = 64 << 10;

/// Between two bytes of a slow body.
const PACE: Duration = Duration::from_millis(20);

/// Answers one request after another, until one side has enough.
pub(crate) async fn serve(miner: &DevMiner, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = http::read(&mut stream).await? {
        let behaviour = miner.note(&request);
        match reply(miner, &request) {
            Ok(good) => act(&mut stream, &behaviour, &good).await?,
            Err(refusal) => stream.write_all(&refusal).await?,
        }
    }
    Ok(())
}

/// The body of the answer, or all of a refusal.
fn reply(miner: &DevMiner, request: &Request) -> Result<Vec<u8>, Vec<u8>> {
    let refuse = |status, problem: &str| {
        let body = json!({"message": problem}).to_string();
        answer(status, JSON, "", body.as_bytes())
    };
    if request.method != "POST" {
        return Err(refuse(405, "only POST"));
    }
    if miner.signatures {
        let caller = signature::check(request, &miner.hotkey, |nonce| miner.is_new(nonce));
        if let Err(problem) = caller {
            miner.refused();
            return Err(refuse(401, &problem));
        }
    }
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(body) => Ok(miner.work().answer(&body).to_string().into_bytes()),
        Err(error) => Err(refuse(400, &error.to_string())),
    }
}

async fn act(
    stream: &mut BufReader<TcpStream>,
    behaviour: &Behaviour,
    good: &[u8],
) -> io::Result<()> {
    let ended = || Err(io::ErrorKind::ConnectionAborted.into());
    match behaviour {
        Behaviour::Good => stream.write_all(&answer(200, JSON, "", good)).await,
        Behaviour::Slow(time) => {
            tokio::select! {
                () = sleep(*time) => stream.write_all(&answer(200, JSON, "", good)).await,
                () = gone(stream) => ended(),
            }
        }
        Behaviour::Hang => {
            gone(stream).await;
            ended()
        }
        Behaviour::SlowBody => {
            let headers = format!("content-type: {JSON}\r\ncontent-length: {PIECE}\r\n");
            stream.write_all(&head(200, &headers)).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::select! {
                    () = sleep(PACE) => {}
                    () = gone(stream) => return ended(),
                }
            }
        }
        Behaviour::HugeBody => {
            let headers = format!("content-type: {JSON}\r\ncontent-length: {HUGE}\r\n");
            stream.write_all(&head(200, &headers)).await?;
            flood(stream, &[b'['; PIECE]).await
        }
        Behaviour::HugeChunks => {
            let headers = format!("content-type: {JSON}\r\ntransfer-encoding: chunked\r\n");
            stream.write_all(&head(200, &headers)).await?;
            let mut piece = format!("{PIECE:x}\r\n").into_bytes();
            piece.extend_from_slice(&[b'['; PIECE]);
            piece.extend_from_slice(b"\r\n");
            flood(stream, &piece).await
        }
        Behaviour::WrongType => stream.write_all(&answer(200, "text/html", "", good)).await,
        Behaviour::NotJson => {
            let body = b"{\"completion\": nothing comes to mind";
            stream.write_all(&answer(200, JSON, "", body)).await
        }
        Behaviour::Redirect(url) => {
            let location = format!("location: {url}\r\n");
            stream.write_all(&answer(307, JSON, &location, good)).await
        }
        Behaviour::Status(status) => stream.write_all(&answer(*status, JSON, "", good)).await,
        Behaviour::Close => ended(),
        Behaviour::CloseInBody => {
            let whole = answer(200, JSON, "", good);
            let (first, _rest) = whole.split_at(whole.len() - good.len().div_ceil(2));
            stream.write_all(first).await?;
            ended()
        }
        Behaviour::HeaderFlood => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            flood(stream, "x-flood: of headers\r\n".repeat(1_000).as_bytes()).await
        }
        Behaviour::NotHttp => {
            stream.write_all(b"220 smtp.example.com ready\r\n").await?;
            gone(stream).await;
            ended()
        }
        Behaviour::Wrong => {
            let body = json!({"completion": [7, null], "echo": {"wrong": true}}).to_string();
            stream
                .write_all(&answer(200, JSON, "", body.as_bytes()))
                .await
        }
    }
}

/// Until the client has gone, whatever it may send before.
async fn gone(stream: &mut BufReader<TcpStream>) {
    let mut bytes = [0; 1_024];
    while let Ok(1..) = stream.read(&mut bytes).await {}
}

/// Until the client takes no more.
async fn flood(stream: &mut BufReader<TcpStream>, piece: &[u8]) -> io::Result<()> {
    let mut sent = 0;
    while sent < HUGE {
        stream.write_all(piece).await?;
        sent += piece.len() as u64;
    }
    Err(io::ErrorKind::ConnectionAborted.into())
}
