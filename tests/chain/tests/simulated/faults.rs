//! What may go wrong between the chain and its clients.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use proctor_simulated_chain::{RpcError, SimulatedChain, to_hex};
use serde_json::{Value as Json, json};
use subxt::rpcs::{Error, RpcClient, rpc_params};
use subxt_signer::sr25519::dev;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Bench, set_weights};

async fn connect(chain: &SimulatedChain) -> Result<RpcClient, Error> {
    RpcClient::from_insecure_url(chain.url()).await
}

async fn ask(client: &RpcClient, method: &str) -> Result<Json, Error> {
    client.request(method, rpc_params![]).await
}

#[tokio::test]
async fn connections_are_refused_as_often_as_ordered() {
    let chain = SimulatedChain::start().await;
    chain.faults().refuse_connections(2);
    assert!(connect(&chain).await.is_err());
    assert!(connect(&chain).await.is_err());
    let client = connect(&chain).await.unwrap();
    assert_eq!(ask(&client, "system_chain").await.unwrap(), "Simulated");
    assert_eq!(chain.faults().connections(), 1);
}

#[tokio::test]
async fn all_connections_may_be_closed() {
    let chain = SimulatedChain::start().await;
    let (one, other) = (
        connect(&chain).await.unwrap(),
        connect(&chain).await.unwrap(),
    );
    ask(&one, "system_chain").await.unwrap();
    ask(&other, "system_chain").await.unwrap();
    chain.faults().disconnect();
    assert!(ask(&one, "system_chain").await.is_err());
    assert!(ask(&other, "system_chain").await.is_err());
    assert!(
        ask(&connect(&chain).await.unwrap(), "system_chain")
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_cut_before_a_request_loses_it_and_a_cut_after_it_only_the_answer() {
    let bench = Bench::start().await;
    let extrinsic = bench
        .sign(&dev::alice(), &set_weights(&[1], &[65_535]))
        .await;
    let faults = bench.chain.faults();
    let method = "author_submitExtrinsic";
    let submit = async || {
        let client = connect(&bench.chain).await.unwrap();
        client
            .request::<String>(method, rpc_params![to_hex(&extrinsic)])
            .await
    };
    faults.cut_before(method, 1);
    assert!(submit().await.is_err());
    assert_eq!(bench.chain.waiting(), 0);
    faults.cut_after(method, 1);
    assert!(submit().await.is_err());
    assert_eq!(bench.chain.waiting(), 1);
    assert_eq!(faults.requests(method), 2);
}

#[tokio::test]
async fn an_answer_may_never_come_come_late_or_be_an_error() {
    let chain = SimulatedChain::start().await;
    let client = connect(&chain).await.unwrap();
    let faults = chain.faults();
    faults.ignore("system_name", 1);
    let unanswered = ask(&client, "system_name");
    // Others are answered meanwhile, and so is the same one later.
    let (unanswered, answered) = tokio::join!(
        timeout(Duration::from_millis(100), unanswered),
        ask(&client, "system_chain"),
    );
    assert!(unanswered.is_err());
    assert!(answered.is_ok());
    assert!(ask(&client, "system_name").await.is_ok());

    let from = std::time::Instant::now();
    faults.delay("system_name", 1, Duration::from_millis(50));
    assert!(ask(&client, "system_name").await.is_ok());
    assert!(from.elapsed() >= Duration::from_millis(50));

    faults.fail("*", 1, RpcError::new(-32_000, "too busy"));
    match ask(&client, "system_name").await {
        Err(Error::User(error)) => {
            assert_eq!((error.code, error.message.as_str()), (-32_000, "too busy"))
        }
        other => panic!("{other:?}"),
    }
    assert!(ask(&client, "system_name").await.is_ok());
}

#[tokio::test]
async fn answers_may_come_in_another_order() {
    let chain = SimulatedChain::start().await;
    let address = chain.url().replace("ws://", "");
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = client_async(chain.url(), stream).await.unwrap();
    chain.faults().reorder(3);
    for id in 1..=4 {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "system_name", "params": []});
        let message = Message::text(request.to_string());
        socket.send(message).await.unwrap();
    }
    let mut order = Vec::new();
    while order.len() < 4 {
        let answer = socket.next().await.unwrap().unwrap();
        let answer: Json = serde_json::from_str(answer.to_text().unwrap()).unwrap();
        order.push(answer["id"].as_u64().unwrap());
    }
    assert_eq!(order, [3, 2, 1, 4]);
}

#[tokio::test]
async fn a_silent_node_answers_when_it_speaks_again() {
    let chain = SimulatedChain::start().await;
    let client = connect(&chain).await.unwrap();
    chain.faults().silent(true);
    let mut asked = Box::pin(ask(&client, "system_name"));
    assert!(
        timeout(Duration::from_millis(50), &mut asked)
            .await
            .is_err()
    );
    assert_eq!(chain.faults().requests("system_name"), 0);
    chain.faults().silent(false);
    assert!(asked.await.is_ok());
}

#[tokio::test]
async fn a_method_that_is_not_there_is_an_error_of_that_call_only() {
    let chain = SimulatedChain::start().await;
    let client = connect(&chain).await.unwrap();
    match ask(&client, "chainHead_v1_follow").await {
        Err(Error::User(error)) => assert_eq!(error.code, -32_601),
        other => panic!("{other:?}"),
    }
    assert!(ask(&client, "system_name").await.is_ok());
}

#[tokio::test]
async fn what_was_unsubscribed_comes_no_more() {
    let chain = SimulatedChain::start().await;
    let client = connect(&chain).await.unwrap();
    let subscription = client.subscribe::<Json>(
        "chain_subscribeNewHeads",
        rpc_params![],
        "chain_unsubscribeNewHeads",
    );
    let mut heads = subscription.await.unwrap();
    assert_eq!(heads.next().await.unwrap().unwrap()["number"], "0x3e8");
    chain.mine(1);
    assert_eq!(heads.next().await.unwrap().unwrap()["number"], "0x3e9");
    drop(heads);
    let is_told =
        |chain: &SimulatedChain| chain.faults().requests("chain_unsubscribeNewHeads") == 1;
    chain.until(is_told).await;
}

#[tokio::test]
async fn a_node_may_stop_to_tell_of_blocks_and_still_answer() {
    let chain = SimulatedChain::start().await;
    let client = connect(&chain).await.unwrap();
    let subscribe = async || {
        let method = "chain_subscribeFinalizedHeads";
        let heads = client.subscribe::<Json>(method, rpc_params![], "chain_unsubscribeHeads");
        heads.await.unwrap()
    };
    let mut heads = subscribe().await;
    assert_eq!(heads.next().await.unwrap().unwrap()["number"], "0x3e8");
    chain.faults().mute("chain_finalizedHead");
    chain.mine(1);
    // Answers come after what was told before them.
    assert!(ask(&client, "system_name").await.is_ok());
    assert!(
        timeout(Duration::from_millis(50), heads.next())
            .await
            .is_err()
    );
    chain.faults().clear();
    chain.mine(1);
    assert_eq!(heads.next().await.unwrap().unwrap()["number"], "0x3ea");
}

#[tokio::test]
async fn a_second_node_of_the_same_chain_fails_by_itself() {
    let chain = SimulatedChain::start().await;
    let second = chain.another_server().await;
    chain.faults().refuse_connections(usize::MAX);
    assert!(connect(&chain).await.is_err());
    let client = RpcClient::from_insecure_url(second.url()).await.unwrap();
    chain.mine(1);
    let header: Json = client
        .request("chain_getHeader", rpc_params![])
        .await
        .unwrap();
    assert_eq!(header["number"], "0x3e9");
}
