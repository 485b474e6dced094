use async_nats::HeaderMap;
use bytes::Bytes;

use super::{
    consumer::Delivered,
    delivered::{DeliveredMarks, Mark},
    message::{self, Fields, Stored, base64, nanos},
    settings::{check_name, check_version, has_batches},
};
use crate::{
    history::{Entry, EntryKind, HistoryErrorKind, Pattern, Topic},
    resume::{Cursor, Epoch, EpochRow, EpochTable},
};

fn topics(names: &[&str]) -> Vec<Topic> {
    names.iter().filter_map(|name| Topic::new(name).ok()).collect()
}

fn entry(names: &[&str], key: &str) -> Entry {
    let lines = Bytes::from_static(b"data: x\n");
    Entry { topics: topics(names), kind: EntryKind::Event, lines, key: Some(key.to_owned()) }
}

fn message_id(entry: &Entry) -> String {
    let (headers, _) = message::headers(entry);
    headers.get("Nats-Msg-Id").map(|id| id.as_str().to_owned()).unwrap_or_default()
}

#[test]
fn a_server_before_2_10_is_refused_by_name() {
    for old in ["2.9.10", "2.9.99", "1.99.0", "", "x"] {
        let error = check_version(old).err();
        let is_named = |message: String| message.contains(old) && message.contains("2.10");
        assert!(error.as_ref().is_some_and(|error| error.kind() == HistoryErrorKind::Settings), "{old}");
        assert!(error.is_some_and(|error| is_named(error.to_string())), "{old}");
    }
    for new in ["2.10.0", "2.10.25", "2.11.0-RC.1", "2.15.1", "3.0.0", "v2.10.1"] {
        assert!(check_version(new).is_ok(), "{new}");
    }
    assert!(!has_batches("2.10.25") && has_batches("2.11.0") && has_batches("3.0.0"));
}

#[test]
fn a_name_is_one_part_of_a_subject() {
    for name in ["shop", "a-b_C9"] {
        assert!(check_name(name).is_ok(), "{name}");
    }
    for name in ["", "a.b", "a b", "*", ">", "$JS", "é", &"x".repeat(65)] {
        assert!(check_name(name).is_err(), "{name}");
    }
}

#[test]
fn a_subject_stands_for_one_topic_only() {
    for name in ["a", "a.b", "$multi", "$$multi", "$$$", "$multi.x", "multi", "a.$multi"] {
        let topics = topics(&[name]);
        let subject = message::subject("shop", &topics);
        assert_ne!(subject, message::multi("shop"), "{name}");
        let stored = Stored { seq: 1, subject, fields: Fields::default(), nanos: 0 };
        assert_eq!(stored.topics("shop"), topics);
    }
    let filter = |text| Pattern::new(text).map(|pattern| message::filter("shop", &pattern));
    assert_eq!(filter("$multi.*").as_deref(), Ok("shop.$$multi.*"));
    assert_eq!(filter("*.b.>").as_deref(), Ok("shop.*.b.>"));
    let foreign = |subject: &str| {
        let stored = Stored { seq: 1, subject: subject.to_owned(), fields: Fields::default(), nanos: 0 };
        stored.topics("shop")
    };
    for subject in ["shop.$multi", "shop.$x", "shop.é", "shopping.a", "other.a", "shop", "shop."] {
        assert_eq!(foreign(subject), [], "{subject}");
    }
}

#[test]
fn a_message_id_is_never_the_same_for_two_scopes() {
    let entries = [
        entry(&["a"], "k"),
        entry(&["b"], "k"),
        entry(&["a", "b"], "k"),
        entry(&["a"], "b k"),
        entry(&["a"], "b%20k"),
        entry(&["a"], "k\r\nNats-Rollup: all"),
        entry(&["a"], "k\r\nNats-Rollup:\tall"),
        entry(&["a"], "é"),
        entry(&["a"], "K"),
    ];
    let mut ids: Vec<String> = entries.iter().map(message_id).collect();
    assert!(ids.iter().all(|id| id.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())), "{ids:?}");
    assert_eq!(ids.first(), Some(&message_id(&entry(&["a"], "k"))));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), entries.len());
}

#[test]
fn headers_say_the_same_in_both_forms() {
    let mut two = entry(&["a", "b.c"], "k");
    two.kind = EntryKind::Finish;
    let (headers, check) = message::headers(&two);
    let text: String = headers
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}: {}\r\n", value.as_str())))
        .collect();
    let fields = Fields::of(Some(&headers), &two.lines);
    assert_eq!(fields, Fields::of_text(&format!("NATS/1.0\r\n{text}\r\n"), &two.lines));
    let stored = Stored { seq: 1, subject: "shop.$multi".to_owned(), fields, nanos: 7 };
    assert!(stored.is_finish() && stored.check() == check);
    assert_eq!(stored.topics("shop"), two.topics);
    assert_eq!(Fields::of(Some(&HeaderMap::new()), b"data: x\n"), Fields::of(None, b""));
}

#[test]
fn e14_headers_alone_do_not_make_a_finish() {
    let mut entry = entry(&["a"], "k");
    entry.kind = EntryKind::Finish;
    let (headers, check) = message::headers(&entry);
    for payload in
        ["id: 1\ndata: x\n", "data: x\n\nevent: sse.end\ndata: {}\n", "event: sse.gap\ndata: \n", "{}"]
    {
        let fields = Fields::of(Some(&headers), payload.as_bytes());
        let stored = Stored { seq: 1, subject: "shop.a".to_owned(), fields, nanos: 7 };
        // The id does not change: other processes may have reported the event under that id.
        assert!(!stored.is_finish() && stored.check() == check, "{payload}");
        let record = stored.record("shop", Bytes::from(payload), Cursor::new(Epoch::from_bits(1), 1));
        assert_eq!(record.kind, EntryKind::Event, "{payload}");
    }
}

#[test]
fn a_foreign_message_is_checked_by_its_time() {
    let at =
        |nanos| Stored { seq: 1, subject: "shop.a".to_owned(), fields: Fields::default(), nanos }.check();
    let checks: std::collections::HashSet<u32> =
        (0..10_000).map(|n| at(1_795_578_041_366_571_974 + n)).collect();
    assert_eq!(checks.len(), 10_000);
}

#[test]
fn times_are_read_to_the_nanosecond() {
    for (text, expected) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-03-01T00:00:00.5Z", 59 * 86_400 * 1_000_000_000 + 500_000_000),
        ("2000-02-29T23:59:59.999999999Z", 951_868_799_999_999_999),
        ("2026-11-25T03:40:41.366571974Z", 1_795_578_041_366_571_974),
        ("2100-03-01T00:00:00Z", 4_107_542_400_000_000_000),
    ] {
        assert_eq!(nanos(text), Some(expected), "{text}");
    }
    for text in ["", "Z", "2026-11-25", "2026-11-25T03:40:41", "0001-01-01T00:00:00Z", "x-y-zTa:b:cZ"] {
        assert_eq!(nanos(text), None, "{text}");
    }
}

#[test]
fn base64_is_read() {
    for (text, bytes) in
        [("", ""), ("TQ==", "M"), ("TWE=", "Ma"), ("TWFu", "Man"), ("TkFUUy8xLjANCg==", "NATS/1.0\r\n")]
    {
        assert_eq!(base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
    }
    assert_eq!(base64("+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
    assert_eq!(base64("a b"), None);
}

#[test]
fn a_reply_subject_says_where_a_record_stands() {
    let places = |reply| {
        Delivered::parse(reply).map(|delivered| (delivered.seq, delivered.consumer_seq, delivered.nanos))
    };
    assert_eq!(places("$JS.ACK.shop.KuTb78wX.1.15.2.1795.5"), Some((15, 2, 1795)));
    assert_eq!(places("$JS.ACK.hub.acc.shop.KuTb78wX.1.15.2.1795.5.rnd"), Some((15, 2, 1795)));
    assert_eq!(places("$JS.ACK.hub.acc.shop.KuTb78wX.1.15.2.1795.5"), Some((15, 2, 1795)));
    for reply in ["", "_INBOX.x", "$JS.ACK.shop.c.1.x.2.3.4", "$JS.ACK.shop.c"] {
        assert_eq!(places(reply), None, "{reply}");
    }
}

#[test]
fn the_newest_told_are_remembered_each_and_older_ones_in_steps() {
    let epoch = Epoch::from_bits(1);
    let mark = |seq| Mark { seq, check: u32::try_from(seq).unwrap_or(0), epoch };
    let mut delivered = DeliveredMarks::default();
    (1..=20_000).for_each(|seq| delivered.push(mark(seq)));
    let marks = delivered.marks_up_to(u64::MAX);
    assert!(marks.is_sorted_by_key(|mark| mark.seq));
    assert_eq!(delivered.last(), Some(mark(20_000)));
    assert!((20_000 - 8_191..=20_000).all(|seq| marks.contains(&mark(seq))));
    assert_eq!(marks.first(), Some(&mark(256)));
    assert!(marks.len() < 8_300);
    // A record that another tail has reported beyond a position does not count for it.
    assert_eq!(delivered.last_up_to(15_000), Some(mark(15_000)));
    assert_eq!(delivered.last_up_to(1_000), Some(mark(768)));
    assert_eq!(delivered.last_up_to(255), None);
    assert!(delivered.marks_up_to(15_000).iter().all(|mark| mark.seq <= 15_000));
    // The same record again changes nothing; another record at its position replaces what follows.
    delivered.push(mark(19_000));
    assert_eq!(delivered.last(), Some(mark(20_000)));
    delivered.push(Mark { check: 7, ..mark(19_000) });
    assert_eq!(delivered.last(), Some(Mark { check: 7, ..mark(19_000) }));
    // After a jump nothing is known about the records in between.
    delivered.push(mark(30_000));
    assert!(delivered.marks_up_to(u64::MAX).iter().all(|mark| mark.seq <= 11_808 || mark.seq == 30_000));
}

#[test]
fn what_a_later_epoch_replaced_is_forgotten() {
    let (first, second) = (Epoch::from_bits(1), Epoch::from_bits(2));
    let mut delivered = DeliveredMarks::default();
    for seq in 1..=10 {
        delivered.push(Mark { seq, check: 0, epoch: first });
    }
    let mut epochs = EpochTable::starting(first);
    delivered.drop_replaced(&epochs);
    assert_eq!(delivered.marks_up_to(u64::MAX).len(), 10);
    epochs.push(EpochRow { epoch: second, begins: 8 });
    delivered.drop_replaced(&epochs);
    assert_eq!(delivered.last().map(|mark| mark.seq), Some(7));
    delivered.push(Mark { seq: 8, check: 1, epoch: second });
    delivered.drop_replaced(&epochs);
    assert_eq!(delivered.last().map(|mark| mark.seq), Some(8));
}
