//! What the API shows, page by page.
