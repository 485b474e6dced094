//! The command as a user runs it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Command, Output},
    thread::{self, JoinHandle},
};

const OPEN: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

/// Answers one request after the other; returns the requests, in lower case.
fn serve(answers: &[&str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/events", listener.local_addr().expect("an address"));
    let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
    let serving = thread::spawn(move || {
        let serve = |answer: String| {
            let (mut socket, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(socket.try_clone().expect("a socket"));
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut request).expect("a request"), 0);
            }
            request.make_ascii_lowercase();
            if let Some((_, rest)) = request.split_once("content-length: ") {
                let length = rest.split("\r\n").next().expect("a line").parse().expect("a number");
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("a body");
                request.push_str(&String::from_utf8_lossy(&body));
            }
            socket.write_all(answer.as_bytes()).expect("sent");
            request
        };
        answers.into_iter().map(serve).collect()
    });
    (url, serving)
}

fn sse(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sse")).args(args).output().expect("it runs")
}

fn lines(output: &Output) -> Vec<serde_json::Value> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn it_prints_messages_reconnects_and_ends_with_0_at_204() {
    let first = format!("{OPEN}retry: 1\nid: 1\nevent: price\ndata: a\ndata: \u{2026}\n\n");
    let second = format!("{OPEN}data: b\n\n");
    let (url, serving) = serve(&[&first, &second, NO_CONTENT]);
    let output = sse(&[&url, "--last-event-id", "0", "--header", "X-Key: k"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        lines(&output),
        [
            serde_json::json!({ "type": "price", "data": "a\n\u{2026}", "lastEventId": "1" }),
            serde_json::json!({ "type": "message", "data": "b", "lastEventId": "1" }),
        ]
    );
    let requests = serving.join().expect("served");
    assert!(requests[0].contains("last-event-id: 0\r\n") && requests[0].contains("x-key: k\r\n"));
    assert!(requests[1].contains("last-event-id: 1\r\n"));
    assert!(stderr(&output).contains("trying again"), "{}", stderr(&output));
}

#[test]
fn a_hostile_server_cannot_control_the_terminal() {
    let text = "x\u{85}\u{2028}{\"type\":\"forged\"}\u{9b}2J\u{7f}\u{1b}[31m\u{202e}\u{e9}";
    let events = format!("{OPEN}retry: 1\nevent: {text}\ndata: {text}\ndata: \u{b}\n\n");
    let away = "HTTP/1.1 302 -\r\nlocation: http://\u{9b}2J\u{2028}x/\r\ncontent-length: 0\r\n\r\n";
    for (answers, code, printed) in [(&[&*events, NO_CONTENT][..], 0, 1), (&[away], 1, 0)] {
        let (url, serving) = serve(answers);
        let output = sse(&[&url]);
        assert_eq!(
            (output.status.code(), lines(&output).len()),
            (Some(code), printed),
            "{}",
            stderr(&output)
        );
        for line in lines(&output) {
            assert_eq!((&line["type"], &line["data"]), (&text.into(), &format!("{text}\n\u{b}").into()));
        }
        for text in [String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output)] {
            let is_hostile =
                |unit: char| unit.is_control() && unit != '\n' || "\u{2028}\u{202e}".contains(unit);
            assert!(!text.contains(is_hostile), "{text:?}");
        }
        serving.join().expect("served");
    }
}

#[test]
fn it_goes_on_from_its_state_and_stops_where_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("cursor");
    let state = state.to_str().expect("UTF-8");
    let events = format!("{OPEN}id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n");
    let (url, serving) = serve(&[&events]);
    let output = sse(&[&url, "--state", state, "--max-events", "2"]);
    assert_eq!((output.status.code(), lines(&output).len()), (Some(0), 2), "{}", stderr(&output));
    serving.join().expect("served");
    assert_eq!(std::fs::read_to_string(state).expect("saved"), "2");
    let (url, serving) = serve(&[NO_CONTENT]);
    let output = sse(&[&url, "--state", state, "--last-event-id", "older"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(serving.join().expect("served")[0].contains("last-event-id: 2\r\n"));
}

#[test]
fn a_state_that_was_written_by_hand_is_trimmed_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cursor");
    let state = file.to_str().expect("UTF-8");
    for text in ["abc-5\n", "abc-5\r\n", "  abc-5 \n\n"] {
        std::fs::write(&file, text).expect("written");
        let (url, serving) = serve(&[NO_CONTENT]);
        let output = sse(&[&url, "--state", state]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(serving.join().expect("served")[0].contains("last-event-id: abc-5\r\n"), "{text:?}");
    }
    for text in ["abc\n5\n", "abc\u{1}"] {
        std::fs::write(&file, text).expect("written");
        for args in [["--state", state], ["--last-event-id", text]] {
            let output = sse(&[&["http://127.0.0.1/"], &args[..]].concat());
            assert_eq!(output.status.code(), Some(2), "{text:?}");
            assert!(stderr(&output).contains("last event id"), "{}", stderr(&output));
            assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        }
    }
    let (url, serving) = serve(&[NO_CONTENT]);
    let output = sse(&[&url, "--last-event-id", "\u{e9}\u{2026}\n"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(serving.join().expect("served")[0].contains("last-event-id: \u{e9}\u{2026}\r\n"));
}

#[test]
fn a_refusals_body_is_shown_and_cannot_control_the_terminal() {
    let body = "{\"error\":\"no such model\"}\r\n\u{1b}[2J";
    for (status, kind) in [("400 Bad Request", "application/json"), ("200 OK", "text/html")] {
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
        let (url, serving) = serve(&[&format!("{head}{body}")]);
        let output = sse(&[&url, "--data", "x"]);
        assert_eq!((output.status.code(), lines(&output).len()), (Some(1), 0));
        let shown = stderr(&output);
        assert!(shown.ends_with("\n{\"error\":\"no such model\"}\n\\u{1b}[2J\n"), "{shown}");
        serving.join().expect("served");
    }
}

#[test]
fn silence_is_given_up_when_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    // The system accepts the connection, but no process answers.
    let output = sse(&[&url, "--data", "x", "--idle-timeout", "0.2"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no response within 200ms"), "{}", stderr(&output));
    drop(listener);
    let (url, serving) = serve(&[&format!("{OPEN}data: a\n\n")]);
    assert_eq!(sse(&[&url, "--data", "x", "--idle-timeout", "0"]).status.code(), Some(0));
    serving.join().expect("served");
}

/// Runs the command without the machine's own proxy variables.
fn sse_with(variables: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sse"));
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_ascii_uppercase());
    }
    command.args(args).envs(variables.iter().copied()).output().expect("it runs")
}

#[test]
fn the_environments_proxy_is_asked() {
    let target = "http://prices.example:81/events?topic=a";
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy"] {
        let (proxy, serving) = serve(&[&format!("{OPEN}data: a\n\n"), NO_CONTENT]);
        let proxy = proxy.replace("http://", "http://user:pass%20word@").replace("/events", "");
        let output = sse_with(&[(name, &proxy)], &[target]);
        assert_eq!((output.status.code(), lines(&output).len()), (Some(0), 1), "{}", stderr(&output));
        for request in serving.join().expect("served") {
            assert!(request.starts_with(&format!("get {target} http/1.1\r\n")), "{request}");
            assert!(request.contains("host: prices.example:81\r\n"), "{request}");
            assert!(request.contains("proxy-authorization: basic dxnlcjpwyxnzihdvcmq=\r\n"), "{request}");
        }
    }
    // Exempt, or forged by a client of a CGI program: requested directly.
    let exempt = [("http_proxy", "http://127.0.0.1:1"), ("no_proxy", "localhost,127.0.0.0/8")];
    for variables in [exempt, [("HTTP_PROXY", "http://127.0.0.1:1"), ("REQUEST_METHOD", "GET")]] {
        let (url, serving) = serve(&[NO_CONTENT]);
        let output = sse_with(&variables, &[&url]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let request = &serving.join().expect("served")[0];
        assert!(request.starts_with("get /events http/1.1\r\n"), "{request}");
        assert!(!request.contains("proxy-authorization"), "{request}");
    }
    let output = sse_with(&[("all_proxy", "socks5://u:secret@127.0.0.1:1")], &["http://127.0.0.1/"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("all_proxy") && !stderr(&output).contains("secret"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_post_is_sent_once_and_its_end_is_a_good_one() {
    let (url, serving) = serve(&[&format!("{OPEN}data: token\n\n")]);
    let output = sse(&[&url, "--data", "A Prompt"]);
    assert_eq!((output.status.code(), lines(&output).len()), (Some(0), 1), "{}", stderr(&output));
    let request = &serving.join().expect("served")[0];
    assert!(request.starts_with("post /events ") && request.ends_with("\r\n\r\nA Prompt"), "{request}");
}

#[test]
fn once_makes_one_connection() {
    let (url, serving) = serve(&[&format!("{OPEN}data: a\n\n")]);
    let output = sse(&["--once", &url]);
    assert_eq!((output.status.code(), lines(&output).len()), (Some(0), 1), "{}", stderr(&output));
    serving.join().expect("served");
    // The server no longer listens there.
    let output = sse(&["--once", &url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("refused"), "{}", stderr(&output));
}

#[test]
fn it_exits_with_1_for_failures_and_2_for_bad_flags() {
    let (url, serving) = serve(&["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"]);
    let output = sse(&[&url]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "sse: event source: the server answered 404 Not Found\n");
    serving.join().expect("served");
    for wrong in [
        &[][..],
        &["--no-such-flag"],
        &["http://127.0.0.1/", "http://127.0.0.1/"],
        &["http://127.0.0.1/", "--max-events", "0"],
        &["http://127.0.0.1/", "--header", "no colon"],
        &["http://127.0.0.1/", "--state"],
        &["http://127.0.0.1/", "--idle-timeout", "-1"],
        &["http://127.0.0.1/", "--idle-timeout", "soon"],
        &["ftp://127.0.0.1/"],
        &["events"],
    ] {
        let output = sse(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{wrong:?}: {}", stderr(&output));
    }
    assert_eq!(sse(&["--help"]).status.code(), Some(0));
}
