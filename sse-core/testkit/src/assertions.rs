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
            let mut stream = $adapter::test::get_stream(&app, "/prices").await;
            stream.assert_status(200).assert_header("cache-control", "no-cache, no-transform");
            let price = $adapter::Event::message("1.08").event("price");
            let receipt = hub.publish("prices", price).await.unwrap();
            stream
                .next_event()
                .await
                .assert_type_eq("price")
                .assert_data_eq("1.08")
                .assert_id_eq(receipt.cursor);
            assert!(stream.retry().is_some_and(|retry| retry >= ::std::time::Duration::from_secs(2)));

            // The wire is cut; the reader comes back and gets what it missed.
            stream.disconnect();
            hub.publish("prices", $adapter::Event::message("1.09")).await.unwrap();
            let again = format!("/prices?last_event_id={}", stream.last_event_id());
            let mut stream = $adapter::test::get_stream(&app, &again).await;
            stream.next_event().await.assert_type_eq("message").assert_data_contains("1.");

            hub.finish("prices").await.unwrap();
            stream.next_event().await.assert_type_eq("sse.end").expect_end().await;
        }

        #[tokio::test(start_paused = true)]
        async fn paused_time_passes_at_once() {
            let app = ($client)($adapter::Hub::memory()).await;
            let began_at = ::tokio::time::Instant::now();
            // The application's lease ends after a minute.
            let mut stream = $adapter::test::get_stream(&app, "/prices").await;
            for _ in 0..3 {
                stream.expect_keep_alive().await;
            }
            assert!((40..=45).contains(&began_at.elapsed().as_secs()), "{:?}", began_at.elapsed());
            stream.expect_end().await;
            assert_eq!(began_at.elapsed().as_secs(), 60);
        }

        #[tokio::test]
        async fn a_post_is_answered_with_a_stream() {
            let app = ($client)($adapter::Hub::memory()).await;
            let mut words = $adapter::test::post_stream(&app, "/echo", "so it goes").await;
            for word in ["so", "it", "goes"] {
                words.next_event().await.assert_data_eq(word);
            }
            words.expect_end().await;
        }

        #[tokio::test]
        async fn an_answer_that_is_no_event_stream_fails_and_is_shown() {
            let app = ($client)($adapter::Hub::memory()).await;
            let asking = ::std::panic::AssertUnwindSafe($adapter::test::get_stream(&app, "/missing"));
            let missing = ::futures_util::FutureExt::catch_unwind(asking).await.expect_err("404");
            let said = missing.downcast::<String>().unwrap();
            assert!(said.starts_with("get_stream /missing at sse-"), "{said}");
            let is_shown = said.contains("the response: 404 Not Found");
            assert!(said.contains("tests/it/helpers.rs:") && is_shown, "{said}");
        }
    };
}
