//! The tests of the feature `test` that are the same for every adapter.

/// Makes these tests from an adapter and a function that builds the application from a hub:
/// `assertions!(sse_axum, async |hub| app(hub));`.
///
/// The application answers GET `/prices` with the hub's topic of that name under a lease of a minute, and POST
/// `/echo` with an event for each word.
#[macro_export]
macro_rules! assertions {
    ($adapter:ident, $client:expr) => {
        #[tokio::test(start_paused = true)]
        async fn a_stream_is_read_as_a_page_reads_it() {
            let hub = $adapter::Hub::memory();
            let app = ($client)(hub.clone()).await;
            let mut stream = $adapter::test::get_sse_ok(&app, "/prices").await;
            stream.status_is(200).header_is("cache-control", "no-cache, no-transform");
            let price = $adapter::Event::message("1.08").event("price");
            let receipt = hub.publish("prices", price).await.unwrap();
            stream.sse_ok().await.sse_type_is("price").sse_text_is("1.08").sse_id_is(receipt.cursor);
            assert!(stream.retry().is_some_and(|retry| retry >= ::std::time::Duration::from_secs(2)));

            // The wire is cut; the reader comes back and gets what it missed.
            stream.sse_finish_ok();
            hub.publish("prices", $adapter::Event::message("1.09")).await.unwrap();
            let again = format!("/prices?last_event_id={}", stream.last_event_id());
            let mut stream = $adapter::test::get_sse_ok(&app, &again).await;
            stream.sse_ok().await.sse_type_is("message").sse_text_like(r"^1\.\d+$");

            hub.finish("prices").await.unwrap();
            stream.sse_ok().await.sse_type_is("sse.end").sse_finished_ok().await;
        }

        #[tokio::test(start_paused = true)]
        async fn paused_time_passes_at_once() {
            let app = ($client)($adapter::Hub::memory()).await;
            let began_at = ::tokio::time::Instant::now();
            // The application's lease ends after a minute.
            let mut stream = $adapter::test::get_sse_ok(&app, "/prices").await;
            for _ in 0..3 {
                stream.sse_keep_alive_ok().await;
            }
            assert!((40..=45).contains(&began_at.elapsed().as_secs()), "{:?}", began_at.elapsed());
            stream.sse_finished_ok().await;
            assert_eq!(began_at.elapsed().as_secs(), 60);
        }

        #[tokio::test]
        async fn a_post_is_answered_with_a_stream() {
            let app = ($client)($adapter::Hub::memory()).await;
            let mut words = $adapter::test::post_sse_ok(&app, "/echo", "so it goes").await;
            for word in ["so", "it", "goes"] {
                words.sse_ok().await.sse_text_is(word);
            }
            words.sse_finished_ok().await;
        }

        #[tokio::test]
        async fn an_answer_that_is_no_event_stream_fails_and_is_shown() {
            let app = ($client)($adapter::Hub::memory()).await;
            let asking = ::std::panic::AssertUnwindSafe($adapter::test::get_sse_ok(&app, "/missing"));
            let missing = ::futures_util::FutureExt::catch_unwind(asking).await.expect_err("404");
            let said = missing.downcast::<String>().unwrap();
            assert!(said.starts_with("get_sse_ok /missing at sse-"), "{said}");
            let is_shown = said.contains("the response: 404 Not Found");
            assert!(said.contains("tests/helpers.rs:") && is_shown, "{said}");
        }
    };
}
