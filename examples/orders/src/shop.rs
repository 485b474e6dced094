//! The business: each change is one transaction, and its event is a part of it.

use serde::Deserialize;
use serde_json::{Value, json};
use sse_axum::{
    Event,
    history::{InvalidOutbox, Outbox},
};
use tokio_postgres::{Client, Error, NoTls, Transaction};

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    Commit,
    Rollback,
}

/// The reason why a change was not made.
#[derive(Debug)]
pub(crate) enum ShopError {
    Database(Error),
    Event(InvalidOutbox),
}

impl From<Error> for ShopError {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<InvalidOutbox> for ShopError {
    fn from(error: InvalidOutbox) -> Self {
        Self::Event(error)
    }
}

/// Opens a connection. A real application has a pool.
pub(crate) async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // Ends when the client is dropped; its error is the client's as well.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// Creates the shop's tables and its trigger.
pub(crate) async fn create(url: &str) -> Result<(), Error> {
    connect(url).await?.batch_execute(include_str!("shop.sql")).await
}

/// Orders a product: takes it from the stock, which the trigger publishes, stores the order, and publishes that.
pub(crate) async fn order(url: &str, product: &str, ending: Ending) -> Result<i64, ShopError> {
    let mut client = connect(url).await?;
    let tx = client.transaction().await?;
    tx.execute("update product set stock = stock - 1 where name = $1", &[&product]).await?;
    let order = tx.query_one("insert into orders (product) values ($1) returning id", &[&product]).await?;
    let id: i64 = order.try_get(0)?;
    publish(&tx, &changed(id, product, "new")?).await?;
    end(tx, ending).await?;
    Ok(id)
}

/// Marks the oldest new order as paid, and publishes that.
pub(crate) async fn pay(url: &str, ending: Ending) -> Result<Option<i64>, ShopError> {
    let mut client = connect(url).await?;
    let tx = client.transaction().await?;
    const PAY: &str = "update orders set status = 'paid' where id = (
        select id from orders where status = 'new' order by id limit 1 for update skip locked) returning id, product";
    let Some(paid) = tx.query_opt(PAY, &[]).await? else { return Ok(None) };
    let (id, product): (i64, &str) = (paid.try_get(0)?, paid.try_get(1)?);
    publish(&tx, &changed(id, product, "paid")?).await?;
    end(tx, ending).await?;
    Ok(Some(id))
}

/// The state that a new page shows.
pub(crate) async fn state(url: &str) -> Result<Value, Error> {
    let client = connect(url).await?;
    let products = client.query("select name, stock from product order by name", &[]).await?;
    let orders =
        client.query("select id, product, status from orders order by id desc limit 20", &[]).await?;
    let mut stocks = Vec::new();
    for row in &products {
        stocks.push(json!({ "product": row.try_get::<_, &str>(0)?, "stock": row.try_get::<_, i32>(1)? }));
    }
    let mut newest = Vec::new();
    for row in &orders {
        let (id, product, status): (i64, &str, &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        newest.push(json!({ "id": id, "product": product, "status": status }));
    }
    Ok(json!({ "stocks": stocks, "orders": newest }))
}

/// The event of a changed order.
fn changed(id: i64, product: &str, status: &str) -> Result<Outbox, InvalidOutbox> {
    let data = json!({ "id": id, "product": product, "status": status }).to_string();
    Event::message(data).event("order").outbox(format!("orders.{id}"))
}

/// Publishes in the transaction: readers get the event if and when it commits.
async fn publish(tx: &Transaction<'_>, event: &Outbox) -> Result<(), Error> {
    let [topic, data, event_type, key] = event.params();
    tx.execute(event.sql(), &[&topic, &data, &event_type, &key]).await.map(drop)
}

async fn end(tx: Transaction<'_>, ending: Ending) -> Result<(), Error> {
    match ending {
        Ending::Commit => tx.commit().await,
        Ending::Rollback => tx.rollback().await,
    }
}
