//! How lookouts report: once while something stands, again where that was not taken, and never instead of one another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tokio::sync::{Notify, mpsc};
use watchfire_types::EventHash;

use super::*;

fn standing(id: &str) -> Standing {
    Standing { id: id.to_owned(), summary: String::new(), digest: B256::ZERO, figures: BTreeMap::new() }
}

fn post(out: mpsc::Sender<Delivery>) -> Post {
    let (source, asset) = ("ratio".parse().unwrap(), "vault-core".parse().unwrap());
    Post { source, asset, counts: Counts::default(), out }
}

/// One that sees what it is told to, look by look; the look after the last tells that it came, and never ends.
struct Scripted(Vec<Result<Vec<Standing>, LookFault>>, Arc<Notify>);

impl Look for Scripted {
    async fn look(&mut self, _: Timestamp) -> Result<Vec<Standing>, LookFault> {
        if self.0.is_empty() {
            self.1.notify_one();
            std::future::pending().await
        } else {
            self.0.remove(0)
        }
    }
}

/// What is said, look by look, where the loop answers as it is told.
#[tokio::test]
async fn it_is_said_once_while_it_stands() {
    let (out, mut deliveries) = mpsc::channel(4);
    let looks = vec![
        Ok(vec![standing("a")]),
        Ok(vec![standing("a"), standing("b")]),
        Err(LookFault::TooSlow),
        Ok(vec![standing("a"), standing("b")]),
        Ok(vec![standing("b")]),
        Ok(vec![standing("a"), standing("b")]),
    ];
    let post = post(out);
    let done = Arc::new(Notify::new());
    let (sights, counts) = (Sights::default(), post.counts.clone());
    let section = crate::config::lookout::PrometheusSection {
        url: "http://127.0.0.1:1".parse().unwrap(),
        query: "q".to_owned(),
        compare: crate::config::lookout::Compare::Less,
        bound: "1".parse().unwrap(),
        for_s: 0,
        token_file: None,
    };
    sights.begin(&post.source, &Asks::Prometheus(section));
    let watching =
        watch(Scripted(looks, Arc::clone(&done)), Channel::Prometheus, Duration::from_millis(1), post, sights.clone());
    let task = tokio::spawn(watching);
    let event = EventHash::from_bytes([1; 32]);
    let answers =
        [("a", Err(Refusal::TooMany(5))), ("a", Ok(event)), ("b", Err(Refusal::Replayed(event))), ("a", Ok(event))];
    for (expected, answer) in answers {
        let Delivery { report, reply } = deliveries.recv().await.unwrap();
        assert_eq!((report.id.as_str(), report.channel), (expected, Channel::Prometheus));
        reply.send(answer).unwrap();
    }
    done.notified().await;
    assert!(deliveries.try_recv().is_err(), "nothing more is said");
    let [status] = &sights.all()[..] else { panic!("one lookout") };
    assert_eq!((status.seen, status.failed, status.blind, &status.fault), (5, 1, 0, &None));
    let counted: Vec<_> = counts.all().into_iter().map(|count| (count.outcome, count.count)).collect();
    assert_eq!(counted, [("accepted".to_owned(), 2), ("replayed".to_owned(), 1), ("too-many".to_owned(), 1)]);
    task.abort();
}

/// A lookout ends with the loop that it reports to.
#[tokio::test]
async fn it_ends_with_the_loop() {
    let (out, deliveries) = mpsc::channel(1);
    let task = tokio::spawn(watch(
        Scripted(vec![Ok(Vec::new())], Arc::default()),
        Channel::Prometheus,
        Duration::from_secs(3_600),
        post(out),
        Sights::default(),
    ));
    drop(deliveries);
    task.await.unwrap();
}
