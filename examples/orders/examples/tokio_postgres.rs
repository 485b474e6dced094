//! Publishing in a transaction of tokio-postgres:
//! `cargo run -p example-orders --example tokio_postgres -- postgres://user@host/database`.

use std::{env, error::Error};

use sse_axum::Event;
use tokio_postgres::NoTls;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url =
        env::args().nth(1).ok_or("write the URL of a database in which a hub has opened its history")?;
    let (mut client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    let tx = client.transaction().await?;
    let row = tx.query_one("select 42::bigint", &[]).await?;
    let event = Event::message(format!(r#"{{"id":{}}}"#, row.try_get::<_, i64>(0)?)).event("order");
    let publish = event.outbox("orders.42")?.key("order-42");
    let [topic, data, event, key] = publish.params();
    tx.execute(publish.sql(), &[&topic, &data, &event, &key]).await?;
    // Readers of `orders.42` get the event if and when this commits.
    tx.commit().await?;
    println!("published to orders.42");
    Ok(())
}
