//! The SQL interface: what transactions, triggers and other roles may do.

use std::time::Duration;

use sse_checker::engines::PostgresServer;
use sse_core::{
    Event, Frame, Hub, Resume, Topic,
    history::{History, HistoryErrorKind, PostgresHistory},
};
use sse_testkit::history_cases::{
    appended, data, entry, next, settled, status_after, texts, topic, wait_for,
};
use tokio_postgres::{Client, NoTls, types::Type};

const NAME: &str = "sse";

async fn open(server: &PostgresServer) -> PostgresHistory {
    PostgresHistory::connect(server.url(), NAME).await.unwrap()
}

/// The server's error for a publish, if it refuses.
async fn publish(client: &Client, topic: &str, data: &str, event: Option<&str>) -> Result<(), String> {
    let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
        [(&topic, Type::TEXT), (&data, Type::TEXT), (&event, Type::TEXT)];
    let rows = client.query_typed("select sse.publish($1, $2, $3)", &params).await;
    rows.map(drop).map_err(|error| error.as_db_error().unwrap().message().to_owned())
}

/// Waits until the log has this many records, and returns their texts.
async fn logged(history: &PostgresHistory, count: u64) -> Vec<String> {
    settled(history, &[], |bounds| bounds.head == count).await;
    texts(&history.read(0, 10_000, usize::MAX).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_kept_if_and_only_if_its_transaction_commits() {
    let server = PostgresServer::start_with(&["max_prepared_transactions=4"]).await;
    let hub = Hub::open(open(&server).await).await.unwrap();
    let mut reader = hub.subscribe("a").await.unwrap();
    let client = server.client().await;
    client
        .batch_execute(
            "begin; select sse.publish('a', 'rolled back'); rollback;
             begin; select sse.publish('a', '1'); savepoint s; select sse.publish('a', 'to the savepoint');
             rollback to s; select sse.publish('a', '2'); commit;
             begin isolation level serializable; select sse.publish('a', '3'); commit;
             begin isolation level repeatable read; select sse.publish('a', '4'); commit;
             begin; set local sse.ring = off; select sse.publish('a', '5'); prepare transaction 'p'",
        )
        .await
        .unwrap();
    client.batch_execute("commit prepared 'p'").await.unwrap();
    assert_eq!(data(&mut reader, 5).await, ["1", "2", "3", "4", "5"]);
    // A trigger publishes with the change, and so does what it causes.
    client
        .batch_execute(
            "create table stock (name text, n integer);
             create function changed() returns trigger language plpgsql as $$
             begin perform sse.publish('a', new.name || ' ' || new.n); return null; end $$;
             create trigger changed after insert or update on stock for each row execute function changed()",
        )
        .await
        .unwrap();
    client
        .batch_execute(
            "begin; insert into stock values ('tea', 1); rollback; begin;
             insert into stock values ('tea', 2); update stock set n = n + 1; commit",
        )
        .await
        .unwrap();
    assert_eq!(data(&mut reader, 2).await, ["tea 2", "tea 3"]);
    // What was committed before a direct append stands before it.
    client.batch_execute("select sse.publish('a', 'before')").await.unwrap();
    hub.publish("a", Event::message("after")).await.unwrap();
    assert_eq!(data(&mut reader, 2).await, ["before", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_finishes_and_signals_and_knows_keys() {
    let server = PostgresServer::start().await;
    let history = open(&server).await;
    let hub = Hub::open(history.clone()).await.unwrap();
    let client = server.client().await;
    let mut reader = hub.subscribe("a").await.unwrap();
    client
        .batch_execute(
            "select sse.publish('a', '1', key => 'k'); select sse.publish('a', '2', event => 'note', key => 'k');
             select sse.publish('a', '3', event => 'note')",
        )
        .await
        .unwrap();
    assert_eq!(next(&mut reader).await.data(), "1");
    let note = next(&mut reader).await;
    assert_eq!((note.event_type(), note.data()), ("note", "3"));
    // A hub's key and a transaction's are the same.
    let again = hub.publish("a", Event::message("4")).key("k").await.unwrap();
    assert!(again.duplicate && again.cursor.seq() == 1, "{again:?}");
    client.batch_execute("select sse.signal('a', 'typing', event => 'who')").await.unwrap();
    let signal = next(&mut reader).await;
    assert_eq!((signal.event_type(), signal.data()), ("who", "typing"));
    let long = client.batch_execute("select sse.signal('a', repeat('x', 8000))").await.unwrap_err();
    assert!(long.to_string().contains("db error"), "{long}");
    client.batch_execute("select sse.finish('a')").await.unwrap();
    let end = next(&mut reader).await;
    assert_eq!((end.event_type(), end.data()), ("sse.end", r#"{"topic":"a"}"#));
    assert_eq!(status_after(&hub, "a", end.last_event_id()).await, 204);
    let finished = history.bounds(&[topic("a").into()]).await.unwrap().finished;
    assert_eq!(finished.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn p23_it_refuses_what_topics_and_types_refuse() {
    let server = PostgresServer::start().await;
    let history = open(&server).await;
    let client = server.client().await;
    let long = "x".repeat(256);
    let longer = "x".repeat(257);
    let topics = [
        "a",
        "a.b",
        "a-b_c~:/",
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "*",
        "a.*",
        "a.>",
        ">",
        "a>b",
        "a*",
        "a b",
        "é",
        "a\n",
        "a\t",
        "\u{7f}",
        "$sse.x",
        "$sse",
        "$SYS",
        "sse.x",
        "a'b\"c\\d%",
        &long,
        &longer,
    ];
    let mut accepted = 0;
    for name in topics {
        let expected = Event::message("x").outbox(name).is_ok();
        assert_eq!(publish(&client, name, "x", None).await.is_ok(), expected, "topic {name:?}");
        assert_eq!(Topic::new(name).is_ok() && !name.starts_with("$sse."), expected, "topic {name:?}");
        accepted += u64::from(expected);
    }
    for event in [
        "note", "", "sse.gap", "sse", "sse.", "a b", "é", "a\nb", "a\rb", "a\tb", "\u{7f}", "\u{80}", "💡",
        " ",
    ] {
        let expected = Event::message("x").event(event).outbox("a").is_ok();
        assert_eq!(publish(&client, "a", "x", Some(event)).await.is_ok(), expected, "type {event:?}");
        accepted += u64::from(expected);
    }
    assert!(client.batch_execute("select sse.publish('a', null)").await.is_err());
    assert!(client.batch_execute("select sse.publish(null, 'x')").await.is_err());
    assert_eq!(logged(&history, accepted).await.len() as u64, accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_encodes_as_the_encoder_does() {
    let server = PostgresServer::start().await;
    let history = open(&server).await;
    let client = server.client().await;
    let parts =
        ["", "a", " ", "\r", "\n", "\r\n", ":", "\u{feff}", "\u{2028}", "\u{85}", "\u{1}", "💡", "data: x"];
    let mut expected = Vec::new();
    client.batch_execute("begin").await.unwrap();
    for first in parts {
        for second in parts {
            for event in [None, Some("note")] {
                let text = format!("{first}{second}{first}");
                publish(&client, "a", &text, event).await.unwrap();
                let message = Event::message(&*text);
                let event = match event {
                    Some(event) => message.event(event),
                    None => message,
                };
                let frame = Frame::try_from(event).unwrap();
                expected.push(frame.bytes().slice(..frame.bytes().len() - 1));
            }
        }
    }
    client.batch_execute("commit").await.unwrap();
    settled(&history, &[], |bounds| bounds.head == expected.len() as u64).await;
    let records = history.read(0, 10_000, usize::MAX).await.unwrap();
    let lines: Vec<_> = records.into_iter().map(|record| record.lines).collect();
    assert_eq!(lines, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_the_crate_publishes_its_event() {
    let server = PostgresServer::start().await;
    let history = PostgresHistory::connect(server.url(), "shop").await.unwrap();
    let mut client = server.client().await;
    let tx = client.transaction().await.unwrap();
    let event = Event::message("one\ntwo").event("note");
    let publish = event.outbox("orders.42").unwrap().key("k").schema("shop").unwrap();
    let [topic, data, event, key] = publish.params();
    tx.execute(publish.sql(), &[&topic, &data, &event, &key]).await.unwrap();
    tx.execute(publish.sql(), &[&topic, &data, &event, &key]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(logged(&history, 1).await, ["one\ntwo"]);
    for wrong in [
        Event::message("x").id("1"),
        Event::message("x").comment("c"),
        Event::message("\0"),
        Event::default(),
    ] {
        assert!(wrong.outbox("a").is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_publish_may_do_nothing_else() {
    let server = PostgresServer::start().await;
    let history = open(&server).await;
    server
        .ask(
            "create role app login; grant usage on schema sse to app; grant create on schema public to app;
             grant execute on function sse.publish, sse.finish, sse.signal to app",
        )
        .await;
    let url = server.url().replace("admin@", "app@");
    let (app, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    // Whatever it puts into its own path is not used by what runs as the owner.
    app.batch_execute(
        "create table public.stolen (by text);
         create function public.octet_length(text) returns integer language plpgsql as
           $$ begin insert into public.stolen values (current_user); return 1; end $$;
         create function public.quote_nullable(text) returns text language plpgsql as
           $$ begin insert into public.stolen values (current_user); return ''; end $$;
         create temporary table outbox (id bigint); create temporary table promise (last_value bigint);
         set search_path = public, pg_temp, pg_catalog",
    )
    .await
    .unwrap();
    app.batch_execute("select sse.publish('a', '1'); select sse.finish('b'); select sse.signal('a', 's')")
        .await
        .unwrap();
    assert!(app.batch_execute("select sse.publish('', '')").await.is_err());
    assert_eq!(logged(&history, 2).await[0], "1");
    assert_eq!(server.ask("select count(*) from public.stolen where by <> 'app'").await, ["0"]);
    for forbidden in [
        "select * from sse.event",
        "insert into sse.outbox (topic, finish, lines) values ('a', false, '')",
        "select sse.sequence(1, null, null, 0, 1, 0)",
        "select sse.rest(0, true)",
        "select sse.trim(1, 1, 1, 1, 1)",
        "select sse.append(1, null, null, 0, '{a}', '{f}', '{null}', '{x}')",
        "truncate sse.event",
        "select sse.read(0, 1, 1)",
        "select sse.enqueue('a', true, null, '')",
        "select nextval('sse.promise')",
    ] {
        let error = app.batch_execute(forbidden).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{forbidden}: {error:?}");
    }
    // A hub of another role needs nothing but the functions.
    server.ask("create role hub login; grant usage on schema sse to hub; grant execute on all functions in schema sse to hub").await;
    let hub = PostgresHistory::connect(server.url().replace("admin@", "hub@"), NAME).await.unwrap();
    assert_eq!(appended(&hub, entry("a", "2")).await.cursor.seq(), 3);
    assert_eq!(hub.read(0, 10, usize::MAX).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn p24_installers_race_and_others_are_sent_to_the_script() {
    let server = PostgresServer::start().await;
    let mut installers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let url = server.url();
        installers.spawn(async move { PostgresHistory::connect(url, NAME).await });
    }
    for history in wait_for("all have installed", installers.join_all()).await {
        history.unwrap();
    }
    server.ask(&PostgresHistory::schema(NAME).unwrap()).await;
    // A role that may not install is sent to the script.
    server.ask("create role hub login").await;
    let url = server.url().replace("admin@", "hub@");
    for name in ["other", NAME] {
        let error = PostgresHistory::connect(&url, name).await.unwrap_err();
        assert_eq!(error.kind(), HistoryErrorKind::Settings, "{error}");
        assert!(error.to_string().contains("PostgresHistory::schema"), "{error}");
    }
    let error = PostgresHistory::builder().install(false).connect(server.url(), "other").await.unwrap_err();
    assert!(error.to_string().contains("PostgresHistory::schema"), "{error}");
    for (name, word) in
        [("select", "reserved"), ("Sse", "lower-case"), ("a-b", "lower-case"), ("", "lower-case")]
    {
        let error = PostgresHistory::connect(server.url(), name).await.unwrap_err();
        assert_eq!(error.kind(), HistoryErrorKind::Settings, "{error}");
        assert!(error.to_string().contains(word), "{name}: {error}");
    }
    server.ask("update sse.state set version = 99").await;
    let error = PostgresHistory::connect(server.url(), NAME).await.unwrap_err();
    assert!(error.kind() == HistoryErrorKind::Settings && error.to_string().contains("99"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p25_each_wrong_setting_is_named() {
    let server = PostgresServer::start_with(&["fsync=off"]).await;
    server.ask("create role hub login").await;
    server.ask("alter role hub set default_transaction_isolation = 'serializable'").await;
    server.ask("create database latin encoding 'LATIN1' template template0").await;
    let url = server.url().replace("admin@", "hub@").replace("/postgres", "/latin");
    let error =
        PostgresHistory::connect(url.replacen("postgres:/latin", "postgres:/", 1), NAME).await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Settings, "{error}");
    for word in ["fsync", "default_transaction_isolation", "server_encoding"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    for (wrong, word) in [("nowhere", "does not exist"), ("postgres?sslmode=require", "no connection")] {
        let url = server.url().replace("/postgres", &format!("/{wrong}")).replacen(
            &format!("postgres:/{wrong}"),
            "postgres:/",
            1,
        );
        let error = PostgresHistory::connect(url, NAME).await.unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = PostgresHistory::connect("nonsense", NAME).await.unwrap_err();
    assert_eq!(error.kind(), HistoryErrorKind::Settings, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_finds_the_last_of_many_topics() {
    let server = PostgresServer::start().await;
    let history = open(&server).await;
    let wanted = appended(&history, entry("quiet.deep.one", "x")).await.cursor.seq();
    for batch in 0..3 {
        history.append((0..500).map(|n| entry(&format!("busy.{batch}.{n}"), "x")).collect()).await.unwrap();
    }
    let last =
        async |text: &str| history.bounds(&[sse_core::Pattern::new(text).unwrap()]).await.unwrap().last;
    assert_eq!(last("quiet.>").await, wanted);
    assert_eq!(last("*.deep.one").await, wanted);
    assert_eq!(last("quiet.*").await, 0);
    assert_eq!(last("busy.0.*").await, 501);
    assert_eq!(last("busy.>").await, 1_501);
}

/// Two readers of one hub, one of which came back: nothing is missing after the sequencer's process has gone.
#[tokio::test(flavor = "multi_thread")]
async fn p18_another_process_numbers_when_the_first_has_gone() {
    let server = PostgresServer::start().await;
    let first = open(&server).await;
    let hub = Hub::open(open(&server).await).await.unwrap();
    let mut reader = hub.subscribe("a").await.unwrap();
    let client = server.client().await;
    for round in 0..3 {
        publish(&client, "a", &round.to_string(), None).await.unwrap();
    }
    assert_eq!(data(&mut reader, 3).await, ["0", "1", "2"]);
    drop(first);
    for round in 3..6 {
        publish(&client, "a", &round.to_string(), None).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(data(&mut reader, 3).await, ["3", "4", "5"]);
    assert_eq!(*reader.resume(), Resume::Fresh);
}
