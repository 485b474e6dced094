//! Publishing in a transaction of sqlx, with queries that are checked at run time:
//! `cargo run -p example-orders --example sqlx -- postgres://user@host/database`.

use std::{env, error::Error};

use sqlx::PgPool;
use sse_axum::Event;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url =
        env::args().nth(1).ok_or("write the URL of a database in which a hub has opened its history")?;
    let pool = PgPool::connect(&url).await?;
    let mut tx = pool.begin().await?;
    let order = sqlx::query("select 42::bigint").execute(&mut *tx).await?.rows_affected();
    let event = Event::message(format!(r#"{{"rows":{order}}}"#)).event("order");
    let publish = event.outbox("orders.42")?.key("order-42");
    let [topic, data, event, key] = publish.params();
    sqlx::query(publish.sql()).bind(topic).bind(data).bind(event).bind(key).execute(&mut *tx).await?;
    // Readers of `orders.42` get the event if and when this commits.
    tx.commit().await?;
    println!("published to orders.42");
    Ok(())
}
