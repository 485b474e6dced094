//! Tokens of a language model, read from the bytes of a response with `messages()`, without the client.
//!
//! Most such APIs answer a POST with one stream that cannot be resumed, and applications already have an HTTP
//! client for them. With reqwest the bytes are `response.bytes_stream()`; here they are recorded, and split as a
//! network splits them.
//!
//! ```sh
//! cargo run -p example-client --example tokens
//! ```

use std::{convert::Infallible, error::Error};

use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use sse_core::decode::MessagesExt;

const OPENAI: &[u8] = include_bytes!("../recorded/openai.sse");
const ANTHROPIC: &[u8] = include_bytes!("../recorded/anthropic.sse");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", openai(recorded(OPENAI)).await?);
    println!("{}", anthropic(recorded(ANTHROPIC)).await?);
    Ok(())
}

/// One type of event, with JSON in each, and a last event that is not JSON.
async fn openai(
    bytes: impl Stream<Item = Result<&'static [u8], Infallible>>,
) -> Result<String, Box<dyn Error>> {
    #[derive(Deserialize)]
    struct Chunk {
        choices: Vec<Choice>,
    }
    #[derive(Deserialize)]
    struct Choice {
        delta: Delta,
    }
    #[derive(Deserialize)]
    struct Delta {
        content: Option<String>,
    }

    let mut text = String::new();
    let mut messages = bytes.messages();
    while let Some(message) = messages.next().await {
        let message = message?;
        if message.data() == "[DONE]" {
            return Ok(text);
        }
        let chunk: Chunk = message.json()?;
        text.extend(chunk.choices.into_iter().filter_map(|choice| choice.delta.content));
    }
    Err("the stream was cut off".into())
}

/// Named events; unknown ones are skipped.
async fn anthropic(
    bytes: impl Stream<Item = Result<&'static [u8], Infallible>>,
) -> Result<String, Box<dyn Error>> {
    #[derive(Deserialize)]
    struct BlockDelta {
        delta: Delta,
    }
    #[derive(Deserialize)]
    struct Delta {
        text: Option<String>,
    }

    let mut text = String::new();
    let mut messages = bytes.messages();
    while let Some(message) = messages.next().await {
        let message = message?;
        match message.event_type() {
            "content_block_delta" => text.extend(message.json::<BlockDelta>()?.delta.text),
            "error" => return Err(message.into_data().into()),
            "message_stop" => return Ok(text),
            _ => {}
        }
    }
    Err("the stream was cut off".into())
}

/// A body in pieces of 11 bytes, so that lines and events are split.
fn recorded(bytes: &'static [u8]) -> impl Stream<Item = Result<&'static [u8], Infallible>> {
    stream::iter(bytes.chunks(11).map(Ok))
}

#[tokio::test]
async fn both_recordings_say_the_same() {
    let text = "Server-sent events: one way, one line at a time.";
    assert_eq!(openai(recorded(OPENAI)).await.expect("complete"), text);
    assert_eq!(anthropic(recorded(ANTHROPIC)).await.expect("complete"), text);
    assert!(openai(recorded(&OPENAI[..500])).await.is_err());
}
