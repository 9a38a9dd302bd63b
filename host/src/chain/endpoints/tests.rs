#![allow(clippy::unwrap_used)]

use super::*;
use futures_util::StreamExt;
use proctor_simulated_chain::SimulatedChain;

const NEVER: Duration = Duration::from_secs(60);

fn endpoints(urls: Vec<String>, patience: Patience) -> Endpoints {
    Endpoints::new(urls, patience, Arc::new(Metrics::default()))
}

async fn head(endpoints: &Endpoints) -> Result<Box<RawValue>, RpcError> {
    endpoints.request("chain_getFinalizedHead", None).await
}

#[tokio::test]
async fn the_first_endpoint_is_taken_back_when_it_answers_again() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let patience = Patience {
        away: Duration::ZERO,
        ..Patience::of(NEVER)
    };
    let endpoints = endpoints(vec![simulated.url(), second.url()], patience);
    simulated.faults().refuse_connections(1);
    head(&endpoints).await.unwrap();
    assert_eq!(endpoints.connected_to(), Some(second.url()));

    // The answer comes from the second, the subscription moves to the first.
    let (method, undo) = ("chain_subscribeNewHeads", "chain_unsubscribeNewHeads");
    let mut heads = endpoints.subscribe(method, None, undo).await.unwrap();
    let moved = async {
        while let Some(item) = heads.stream.next().await {
            if let Err(error) = item {
                return error.is_disconnected_will_reconnect();
            }
        }
        false
    };
    assert!(moved.await);
    assert_eq!(endpoints.connected_to(), Some(simulated.url()));
    assert_eq!(second.faults().requests(method), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_behind_is_not_gone_back_to() {
    let behind = SimulatedChain::start().await;
    let second = SimulatedChain::start().await;
    let patience = Patience {
        away: Duration::ZERO,
        ..Patience::of(NEVER)
    };
    let endpoints = endpoints(vec![behind.url(), second.url()], patience);
    endpoints.note_final(1_021);
    second.mine(21);
    behind.faults().refuse_connections(1);
    head(&endpoints).await.unwrap();

    let tried = |count: usize| {
        behind.until(move |behind| behind.faults().requests("chain_getHeader") == count)
    };
    for count in 1..=2 {
        head(&endpoints).await.unwrap();
        tried(count).await;
        while endpoints.0.going_back.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        assert_eq!(endpoints.connected_to(), Some(second.url()));
    }
    behind.mine(1);
    let away = endpoints.connection().await.unwrap();
    away.left_for_another().await;
    assert_eq!(endpoints.connected_to(), Some(behind.url()));
}

#[tokio::test]
async fn what_is_submitted_is_followed_where_it_was_sent_when_others_move() {
    let simulated = SimulatedChain::start().await;
    let second = simulated.another_server().await;
    let patience = Patience {
        away: Duration::ZERO,
        ..Patience::of(NEVER)
    };
    let endpoints = endpoints(vec![simulated.url(), second.url()], patience);
    let connection = Connection::open(1, &second.url(), "second", NEVER).await;
    let connection = Arc::new(connection.unwrap().0);
    endpoints.take(&connection, None);
    let heads = "chain_subscribeNewHeads";
    let subscription = connection.subscribe(heads, None, "chain_unsubscribeNewHeads");
    let Ok(subscription) = subscription.await else {
        unreachable!("the endpoint has subscriptions");
    };
    let mut followed = Box::pin(connection.follow(subscription, false));
    assert!(followed.next().await.unwrap().is_ok());

    endpoints.go_back(Arc::clone(&connection));
    connection.left_for_another().await;
    assert_eq!(endpoints.connected_to(), Some(simulated.url()));
    simulated.mine(1);
    assert!(followed.next().await.unwrap().is_ok());
    second.faults().disconnect();
    assert!(followed.next().await.unwrap().is_err());
    assert!(followed.next().await.is_none());
}

#[tokio::test]
async fn pauses_grow_to_a_limit_and_end_with_an_answer() {
    let simulated = SimulatedChain::start().await;
    let patience = Patience {
        pause: Duration::from_secs(8),
        ..Patience::of(NEVER)
    };
    let endpoints = endpoints(vec![simulated.url()], patience);
    for longest in [8, 16, 30, 30] {
        endpoints.back_off();
        let pause = endpoints.current().pause_until.unwrap() - Instant::now();
        let longest = Duration::from_secs(longest);
        assert!(pause <= longest, "{pause:?}");
        // What the test itself takes is far less than the second.
        assert!(pause > longest / 2 - Duration::from_secs(1), "{pause:?}");
    }
    endpoints.current().pause_until = None;
    head(&endpoints).await.unwrap();
    endpoints.back_off();
    let pause = endpoints.current().pause_until.unwrap() - Instant::now();
    assert!(pause <= Duration::from_secs(8), "{pause:?}");
}

#[tokio::test]
async fn all_who_wait_for_a_connection_wait_for_the_same_attempt() {
    let simulated = SimulatedChain::start().await;
    let endpoints = endpoints(vec![simulated.url()], Patience::of(NEVER));
    // The endpoint is asked for its genesis hash, and has no answer while all wait.
    simulated.faults().ignore("chain_getBlockHash", 1);
    let asked = (0..8).map(|_| head(&endpoints));
    let connecting = futures_util::future::join_all(asked);
    let cut = async {
        let is_asked =
            |simulated: &SimulatedChain| simulated.faults().requests("chain_getBlockHash") == 1;
        simulated.until(is_asked).await;
        simulated.faults().refuse_connections(usize::MAX);
        simulated.faults().disconnect();
    };
    let (results, ()) = futures_util::join!(connecting, cut);
    assert!(results.iter().all(Result::is_err));
    assert_eq!(simulated.faults().connections(), 1);
    assert_eq!(endpoints.0.failures.load(Ordering::Relaxed), 1);
}
