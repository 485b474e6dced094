//! A process for tests: appends one event to a history in Redis and prints its id.
//!
//! `sse-redis-append URL NAME TEXT`

use sse_core::history::{History, RedisHistory};
use sse_testkit::history_cases::entry;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, name, text] = &*args else { panic!("URL NAME TEXT") };
    let history = RedisHistory::connect(url, name).await.expect("a connection");
    let placed = history.append(vec![entry("a", text)]).await.expect("an append");
    println!("{}", placed[0].cursor);
}
