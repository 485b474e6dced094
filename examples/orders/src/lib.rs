//! A small shop: its transactions publish what they change, and a page shows it live.

mod shop;

use std::sync::Arc;

use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use sse_axum::{Event, Hub, Pattern, Result, Snapshot, Sse, SseRequest, origin::OriginPolicy};

use shop::{Ending, ShopError};

/// The page.
const PAGE: &str = include_str!("page.html");

/// The state of every handler.
#[derive(Debug, Clone)]
struct App {
    hub: Hub,
    url: Arc<str>,
}

/// Creates the shop's tables in the database of the hub's history, and returns the routes.
///
/// # Errors
/// If the database refuses.
pub async fn open(hub: Hub, url: &str) -> std::result::Result<Router, tokio_postgres::Error> {
    shop::create(url).await?;
    Ok(Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/events", get(events))
        .route("/orders", post(order))
        .route("/payments", post(pay))
        .with_state(App { hub, url: url.into() }))
}

/// `GET /events`: the state of the shop first, then what changes, live.
async fn events(State(App { hub, url }): State<App>, request: SseRequest) -> Result {
    let topics = (Pattern::new("orders.>")?, Pattern::new("stock.>")?);
    let snapshot = move |_| {
        let url = Arc::clone(&url);
        async move { shop::state(&url).await.map(|state| Snapshot::from(Event::json(state).event("state"))) }
    };
    Ok(Sse::new(hub.subscribe(topics).request(request).snapshot(snapshot).await?))
}

#[derive(Deserialize)]
struct Order {
    product: String,
    ending: Ending,
}

/// `POST /orders`: orders a product, and then commits or rolls back.
async fn order(State(app): State<App>, from: SseRequest, Form(order): Form<Order>) -> Response {
    answer(&from, async { shop::order(&app.url, &order.product, order.ending).await.map(Some) }).await
}

#[derive(Deserialize)]
struct Payment {
    ending: Ending,
}

/// `POST /payments`: pays the oldest order, and then commits or rolls back.
async fn pay(State(app): State<App>, from: SseRequest, Form(payment): Form<Payment>) -> Response {
    answer(&from, shop::pay(&app.url, payment.ending)).await
}

/// Refuses pages of other sites, which could change data in the user's name, and makes the change.
async fn answer(
    from: &SseRequest,
    change: impl Future<Output = std::result::Result<Option<i64>, ShopError>>,
) -> Response {
    if let Err(refused) = OriginPolicy::same_origin().check(from) {
        return sse_axum::Error::from(refused).into_response();
    }
    match change.await {
        Ok(Some(id)) => id.to_string().into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "no new order").into_response(),
        // For example `stock >= 0`: nothing was changed, so nothing was published.
        Err(ShopError::Database(error)) if error.as_db_error().is_some() => {
            (StatusCode::CONFLICT, "the database refused").into_response()
        }
        Err(ShopError::Database(_)) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(ShopError::Event(error)) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}
