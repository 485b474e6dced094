use sse_core::{Hub, SseRequest};

async fn subscribe(hub: Hub, request: SseRequest) {
    let _ = hub.subscribe(42).request(request).await;
}

fn main() {}
