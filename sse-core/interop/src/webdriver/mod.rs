mod browser;
mod link;

pub use self::browser::Engine;

use std::time::Duration;

use serde_json::{Value, json};
use sse_testkit::{Failed, Outcome};
use tokio::time::{sleep, timeout};

use self::{
    browser::Browser,
    link::{Command, Link, Verb},
};
use crate::PATIENCE;

/// The interval at which a page is checked.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// One window of a browser of its own; the browser ends when this is dropped.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    link: Link,
    // Kept, because dropping it ends the browser.
    _browser: Browser,
}

/// A tab of a browser's window.
#[derive(Debug, Clone)]
pub struct Tab(String);

impl Session {
    /// Opens a browser's window.
    ///
    /// # Errors
    /// If the browser does not start; the message states how to install it.
    pub async fn open(engine: Engine) -> Outcome<Self> {
        Self::open_with(engine, &[]).await
    }

    /// Opens a window of a browser that keeps no page in memory for going back, like a browser that is short of memory.
    ///
    /// # Errors
    /// If the browser does not start.
    pub async fn open_without_page_cache(engine: Engine) -> Outcome<Self> {
        Self::open_with(engine, &["--disable-features=BackForwardCache"]).await
    }

    async fn open_with(engine: Engine, flags: &[&str]) -> Outcome<Self> {
        let (browser, link) = Browser::start(engine, flags).await?;
        Ok(Self { engine, link, _browser: browser })
    }

    /// The engine of the browser.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Opens this address and waits until the page has loaded.
    ///
    /// # Errors
    /// If the page cannot be loaded.
    pub async fn go(&self, url: &str) -> Outcome {
        self.call("url", "Navigate", json!({ "url": url })).await?;
        Ok(())
    }

    /// Opens a tab and switches to it.
    ///
    /// # Errors
    /// If the browser opens none.
    pub async fn open_tab(&self) -> Outcome<Tab> {
        let opened = self.call("window/new", "NewWindow", json!({ "type": "tab", "focus": true })).await?;
        let handle = opened.get("handle").and_then(Value::as_str);
        let tab = Tab(handle.ok_or_else(|| Failed::new(format!("no handle in {opened}")))?.to_owned());
        self.switch_to(&tab).await?;
        Ok(tab)
    }

    /// The current tab.
    ///
    /// # Errors
    /// If it has been closed.
    pub async fn tab(&self) -> Outcome<Tab> {
        let handle = self.send(Verb::Get, "window", "GetWindowHandle", json!({})).await?;
        let tab = handle.as_str().map(|handle| Tab(handle.to_owned()));
        tab.ok_or_else(|| Failed::new(format!("no handle in {handle}")))
    }

    /// Switches to this tab.
    ///
    /// # Errors
    /// If it has been closed.
    pub async fn switch_to(&self, tab: &Tab) -> Outcome {
        self.call("window", "SwitchToWindow", json!({ "handle": tab.0 })).await?;
        Ok(())
    }

    /// Closes the current tab; switch to another one then.
    ///
    /// # Errors
    /// If it has been closed.
    pub async fn close_tab(&self) -> Outcome {
        self.send(Verb::Delete, "window", "CloseWindow", json!({})).await?;
        Ok(())
    }

    /// Goes back to the previous page.
    ///
    /// # Errors
    /// If there is none.
    pub async fn back(&self) -> Outcome {
        self.call("back", "Back", json!({})).await?;
        Ok(())
    }

    /// Runs a script in the page, with these `arguments`, and returns its result.
    ///
    /// # Errors
    /// If the script throws.
    pub async fn run(&self, script: &str, arguments: Value) -> Outcome<Value> {
        // Firefox would give each command a `window` of its own.
        let parameters = json!({ "script": script, "args": arguments, "sandbox": null });
        self.call("execute/sync", "ExecuteScript", parameters).await
    }

    /// The value of an expression in the page.
    ///
    /// # Errors
    /// If the expression throws.
    pub async fn value(&self, expression: &str) -> Outcome<Value> {
        self.run(&format!("return {expression}"), json!([])).await
    }

    /// Waits until an expression in the page is true.
    ///
    /// # Errors
    /// If it does not become true in time; the message contains the page's text.
    pub async fn until(&self, expression: &str) -> Outcome {
        let waited = timeout(PATIENCE, async {
            while self.value(expression).await?.as_bool() != Some(true) {
                sleep(LOOK_AGAIN).await;
            }
            Ok(())
        });
        match waited.await {
            Ok(done) => done,
            Err(_) => {
                let shown = self.value("document.body.innerText").await?;
                let shown = shown.as_str().unwrap_or_default();
                Err(Failed::new(format!("waited in vain for {expression}; the page shows:\n{shown}")))
            }
        }
    }

    /// Clicks the element with this id, as a user does.
    ///
    /// # Errors
    /// If there is no such element, or it cannot be clicked.
    pub async fn click(&self, id: &str) -> Outcome {
        let element = self.element(id).await?;
        self.call(&format!("element/{element}/click"), "ElementClick", json!({ "id": element })).await?;
        Ok(())
    }

    /// Types into the element with this id, replacing its text.
    ///
    /// # Errors
    /// If there is no such element, or it takes no text.
    pub async fn type_into(&self, id: &str, text: &str) -> Outcome {
        let element = self.element(id).await?;
        self.call(&format!("element/{element}/clear"), "ElementClear", json!({ "id": element })).await?;
        let keys = json!({ "id": element, "text": text });
        self.call(&format!("element/{element}/value"), "ElementSendKeys", keys).await?;
        Ok(())
    }

    async fn element(&self, id: &str) -> Outcome<String> {
        let wanted = json!({ "using": "css selector", "value": format!("#{id}") });
        let found = self.call("element", "FindElement", wanted).await?;
        let element = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        element.map(str::to_owned).ok_or_else(|| Failed::new(format!("no element #{id}")))
    }

    async fn call(&self, path: &str, name: &'static str, parameters: Value) -> Outcome<Value> {
        self.send(Verb::Post, path, name, parameters).await
    }

    async fn send(&self, verb: Verb, path: &str, name: &'static str, parameters: Value) -> Outcome<Value> {
        self.link.call(Command { verb, path: path.to_owned(), name, parameters }).await
    }
}
