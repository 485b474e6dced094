//! Text from outside is a topic, never syntax.

use crate::common::hostile::HOSTILE;
use crate::common::reader;
use crate::common::reader::{data, is_idle};
use proptest::{collection::vec, prelude::*};
use sse_core::{
    Event, EventStream, Exclusive, Gap, Hub, IntoPatterns, IntoTopics, Pattern, Start, Topic,
    error::{InvalidTopic, SubscribeError},
    mount::{AccessDenied, Permit},
};

/// Any text, often with one of those bytes that topics, or the escapes of their parts, are made of.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[~.*>$%A-Fa-f0-9 ]{0,6}", Just(String::new())]
}

proptest! {
    #[test]
    fn parts_come_back_as_they_were(parts in vec(text(), 1..5)) {
        match Topic::from_parts(&parts) {
            Ok(topic) => {
                prop_assert_eq!(topic.parts().collect::<Vec<_>>(), parts.clone());
                prop_assert_eq!(topic.as_str().split('.').count(), parts.len());
                prop_assert_eq!(Topic::new(topic.as_str()), Ok(topic.clone()));
                prop_assert!(topic.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-~".contains(&byte)));
            }
            Err(error) => {
                let len = match error {
                    InvalidTopic::TooLong { len } => len,
                    error => return Err(TestCaseError::fail(error.to_string())),
                };
                prop_assert!(len > 256 && parts.iter().map(String::len).sum::<usize>() * 3 + 2 * parts.len() >= len);
                prop_assert!(error.to_string().contains("hash"));
            }
        }
    }

    #[test]
    fn different_parts_are_different_topics(one in vec(text(), 1..4), other in vec(text(), 1..4)) {
        let (a, b) = (Topic::from_parts(&one), Topic::from_parts(&other));
        prop_assume!(a.is_ok() && b.is_ok());
        prop_assert_eq!(a == b, one == other);
    }

    #[test]
    fn any_topic_has_parts(name in "[!-~]{1,20}") {
        prop_assume!(Topic::new(&name).is_ok());
        let topic = Topic::new(&name).unwrap();
        let parts: Vec<_> = topic.parts().collect();
        prop_assert_eq!(parts.len(), name.split('.').count());
        // A part that `from_parts` did not make is returned unchanged.
        for (part, raw) in parts.iter().zip(name.split('.')) {
            let again = Topic::from_parts([part]).unwrap();
            prop_assert!(raw == part || raw == again.as_str(), "{part} of {raw}");
        }
    }
}

#[test]
fn plain_names_stay_as_they_are() {
    let plain = "AZaz09_-";
    assert_eq!(Topic::from_parts(["builds", plain]).unwrap().as_str(), format!("builds.{plain}"));
    assert_eq!(Topic::from_parts([">", "", "a.b", "é"]).unwrap().as_str(), "~3E.~.a~2Eb.~C3~A9");
    assert_eq!(Topic::from_parts(["x".repeat(256)]).map(|topic| topic.as_str().len()), Ok(256));
    assert_eq!(Topic::from_parts(["x".repeat(257)]), Err(InvalidTopic::TooLong { len: 257 }));
    assert_eq!(Topic::from_parts(["é".repeat(1_000)]), Err(InvalidTopic::TooLong { len: 6_000 }));
    assert_eq!(Topic::from_parts([""; 0]), Err(InvalidTopic::Missing));
}

#[test]
fn text_with_a_wildcard_is_refused_wherever_topics_are_taken() {
    let hub = Hub::memory();
    for text in ["*", ">", "builds.*", "builds.>", "a*", "a.>.b"] {
        let wrong = InvalidTopic::Wildcard;
        assert_eq!(Topic::new(text), Err(wrong.clone()), "{text}");
        assert_eq!(text.into_topics(), Err(wrong.clone()));
        assert_eq!(vec!["a".to_owned(), text.to_owned()].into_patterns(), Err(wrong.clone()));
        assert_eq!(("a", text).into_patterns(), Err(wrong.clone()));
        assert_eq!(hub.disconnect(text), Err(wrong.clone()));
        assert_eq!(hub.readers(text).map(|_| ()), Err(wrong.clone()));
        assert_eq!(Permit::read(text).map(|_| ()), Err(wrong.clone()));
        assert_eq!(Permit::read_all().publish(text).map(|_| ()), Err(wrong));
        assert!(hub.start_run(text).is_err() && hub.signal(text, Event::message("x")).is_err());
    }
    for name in ["`Pattern::new`", "`Topic::from_parts`"] {
        assert!(InvalidTopic::Wildcard.to_string().contains(name), "{}", InvalidTopic::Wildcard);
    }
}

#[tokio::test]
async fn text_with_a_wildcard_is_refused_by_readers_and_publishers() {
    let hub = Hub::memory();
    let reader = hub.subscribe("a").await.unwrap();
    let refused = SubscribeError::Topic(InvalidTopic::Wildcard);
    for text in ["*", ">", "builds.*"] {
        assert_eq!(hub.subscribe(text).await.unwrap_err(), refused);
        assert_eq!(hub.subscribe("a").backfill(text, Start::Live).await.unwrap_err(), refused);
        assert_eq!(reader.handle().set_topics(text), Err(InvalidTopic::Wildcard));
        assert_eq!(reader.handle().add_topics(text, Start::Live), Err(InvalidTopic::Wildcard));
        assert!(hub.publish(text, Event::message("x")).await.is_err() && hub.finish(text).await.is_err());
        assert!(hub.stop_run(text).await.is_err());
    }
}

#[tokio::test]
async fn a_hostile_name_reaches_its_own_topic_alone() {
    let hub = Hub::memory();
    let mut readers = Vec::new();
    for name in HOSTILE {
        let topic = Topic::from_parts(["builds", name]).unwrap();
        readers.push((name, hub.subscribe(topic).await.unwrap()));
    }
    let mut runs = Vec::new();
    let mut all = hub.subscribe(Pattern::below(&Topic::new("builds").unwrap()).unwrap()).await.unwrap();
    for name in HOSTILE {
        let run = hub.start_run(Topic::from_parts(["builds", name]).unwrap()).unwrap();
        assert_eq!(
            run.publish(Event::message("of ").data(name)).await.unwrap().receivers,
            Some(2),
            "{name:?}"
        );
        assert!(run.topic().parts().eq(["builds", name]));
        assert!(hub.stop_run(run.topic()).await.unwrap() && run.is_stopped());
        runs.push(run);
    }
    for (name, reader) in &mut readers {
        let text = format!("of \n{}", name.replace("\r\n", "\n").replace('\r', "\n"));
        assert_eq!(data(reader, 1).await, [text]);
        assert!(is_idle(reader).await, "{name:?} heard of others");
    }
    assert_eq!(data(&mut all, HOSTILE.len()).await.len(), HOSTILE.len());
}

#[test]
fn a_permit_for_a_hostile_name_covers_that_name_alone() {
    let own = |tenant| Pattern::below(&Topic::from_parts(["tenant", tenant]).unwrap()).unwrap();
    for tenant in HOSTILE {
        for other in HOSTILE.into_iter().chain(["acme"]) {
            let orders = Topic::from_parts(["tenant", other, "orders"]).unwrap();
            assert_eq!(own(tenant).matches(&orders), tenant == other, "{tenant:?} and {other:?}");
            assert_eq!(own(tenant).covers(&own(other)), tenant == other, "{tenant:?} and {other:?}");
        }
    }
    let denied = Permit::read("x".repeat(257)).map_err(AccessDenied::from).unwrap_err();
    assert_eq!(denied, AccessDenied::Topic(InvalidTopic::TooLong { len: 257 }));
}

#[test]
fn lists_mix_text_topics_and_patterns() {
    let topic = Topic::new("b").unwrap();
    let pattern = Pattern::new("c.*").unwrap();
    let names = |patterns: Result<Vec<Pattern>, InvalidTopic>| -> Vec<String> {
        patterns.unwrap().iter().map(Pattern::to_string).collect()
    };
    assert_eq!(names(("a", &topic, &pattern).into_patterns()), ["a", "b", "c.*"]);
    assert_eq!(names((["a", "d"], vec![pattern.clone()]).into_patterns()), ["a", "d", "c.*"]);
    assert_eq!(names((&["e".to_owned()], &vec![topic.clone()]).into_patterns()), ["e", "b"]);
    assert_eq!(names([&pattern].into_patterns()), ["c.*"]);
    assert_eq!(names(vec!["a".to_owned()].as_slice().into_patterns()), ["a"]);
    let topics = ("a", [topic.clone()], &[topic][..]).into_topics().unwrap();
    assert_eq!(topics.iter().map(Topic::as_str).collect::<Vec<_>>(), ["a", "b", "b"]);
}

#[tokio::test]
async fn hostile_names_elsewhere_are_names() {
    let hub = Hub::memory();
    let mut readers = Vec::new();
    for name in HOSTILE.into_iter().filter(|name| !name.is_empty()) {
        let subscribe =
            || hub.subscribe("a").principal(name).limit(name, 1).exclusive(name, Exclusive::Reject);
        let reader = subscribe().await.unwrap();
        assert!(reader.refusal().is_none(), "{name:?} has the place of another");
        assert_eq!(reader.handle().principal(), Some(name));
        assert!(subscribe().await.unwrap().refusal().is_some(), "{name:?} has two places");
        readers.push(reader);
        let publish = async || hub.publish("b", Event::message(name)).key(name).await.unwrap();
        let (first, again) = (publish().await, publish().await);
        assert!(!first.duplicate && again.duplicate && again.cursor == first.cursor, "{name:?}");
    }
}

#[tokio::test]
async fn a_hostile_cursor_stays_within_its_notice() {
    let hub = Hub::memory();
    for text in HOSTILE.into_iter().filter(|text| !text.trim_ascii().is_empty()) {
        let mut reader = hub.subscribe("a").after(text).await.unwrap();
        let frame = reader.next().await.unwrap();
        assert!(frame.as_ref().is_ascii());
        let notice = reader::message(frame.as_ref());
        let gap: Option<Gap> = notice.gap();
        assert_eq!(gap.and_then(|gap| gap.requested).as_deref(), Some(text.trim_ascii()));
        let response = EventStream::new(hub.subscribe("a").after(text).await.unwrap()).into_response();
        let header = response.headers()["sse-gap"].to_str().unwrap();
        let json: serde_json::Value = serde_json::from_str(header).unwrap();
        assert_eq!(json["requested"], text.trim_ascii());
    }
}
