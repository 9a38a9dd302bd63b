//! As much of PromQL as is needed to know what a query names.

use std::ops::Range;

/// A metric and what its labels must be.
#[derive(Debug, PartialEq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    pub(crate) matchers: Vec<(String, String)>,
}

/// The labels of a `by (…)` or an `on (…)`.
#[derive(Debug, PartialEq)]
pub(crate) struct Grouping {
    pub(crate) labels: Vec<String>,
    /// The selectors that must have them.
    pub(crate) of: Range<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) selectors: Vec<Selector>,
    pub(crate) groupings: Vec<Grouping>,
    /// How many of the groupings are of an aggregation.
    pub(crate) aggregations: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

/// Without what is in brackets, which are times, and without numbers.
fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':' || c == '.';
        let taken = if first == '"' {
            let (text, _) = rest[1..].split_once('"').ok_or("a text has no end")?;
            tokens.push(Token::Text(text.to_owned()));
            text.len() + 2
        } else if first == '[' {
            rest.find(']').ok_or("a time has no end")? + 1
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            if !first.is_ascii_digit() {
                tokens.push(Token::Word(rest[..end].to_owned()));
            }
            end
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Sign(first));
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    Ok(tokens)
}

impl Query {
    /// Every word that is no operator and no function is a metric.
    ///
    /// # Errors
    ///
    /// What is not understood, so that nothing goes unchecked.
    pub(crate) fn parse(query: &str) -> Result<Query, String> {
        let tokens = tokens(query)?;
        let mut parsed = Query::default();
        // Aggregations whose parentheses are open or to be opened: their grouping, and
        // how deep they began.
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut everywhere = Vec::new();
        let mut depth = 0;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                Token::Sign('(') => depth += 1,
                Token::Sign(')') => {
                    depth -= 1;
                    while let Some((grouping, began)) = open.last().copied()
                        && began == depth
                    {
                        parsed.groupings[grouping].of.end = parsed.selectors.len();
                        open.pop();
                    }
                }
                Token::Sign('{') => return Err(format!("a selector without a name: {query}")),
                Token::Sign(_) => {}
                Token::Text(text) => return Err(format!("unexpected {text:?}: {query}")),
                Token::Word(word) => match word.as_str() {
                    "and" | "or" | "unless" | "offset" | "bool" => {}
                    "by" | "on" => {
                        let labels = words(&tokens, &mut at)
                            .ok_or_else(|| format!("{word} without labels: {query}"))?;
                        let of = parsed.selectors.len()..usize::MAX;
                        let grouping = parsed.groupings.len();
                        parsed.groupings.push(Grouping { labels, of });
                        if word == "on" {
                            everywhere.push(grouping);
                        } else if tokens.get(at) == Some(&Token::Sign('(')) {
                            parsed.aggregations += 1;
                            open.push((grouping, depth));
                        } else {
                            return Err(format!("write `sum by (…) (…)`: {query}"));
                        }
                    }
                    "without" | "ignoring" | "group_left" | "group_right" => {
                        return Err(format!("cannot check {word}: {query}"));
                    }
                    "sum" | "min" | "max" | "avg" | "count"
                        if tokens.get(at) != Some(&Token::Word("by".to_owned())) =>
                    {
                        return Err(format!("write `{word} by (…) (…)`: {query}"));
                    }
                    "sum" | "min" | "max" | "avg" | "count" => {}
                    _ if tokens.get(at) == Some(&Token::Sign('(')) => {}
                    metric => {
                        let matchers = matchers(&tokens, &mut at)
                            .ok_or_else(|| format!("matchers of {metric}: {query}"))?;
                        let metric = metric.to_owned();
                        parsed.selectors.push(Selector { metric, matchers });
                    }
                },
            }
        }
        if depth != 0 || !open.is_empty() {
            return Err(format!("parentheses do not match: {query}"));
        }
        for grouping in everywhere {
            parsed.groupings[grouping].of = 0..parsed.selectors.len();
        }
        Ok(parsed)
    }
}

/// `(a, b)`.
fn words(tokens: &[Token], at: &mut usize) -> Option<Vec<String>> {
    if tokens.get(*at) != Some(&Token::Sign('(')) {
        return None;
    }
    let mut words = Vec::new();
    loop {
        *at += 1;
        match tokens.get(*at)? {
            Token::Word(word) => words.push(word.clone()),
            Token::Sign(',') => {}
            Token::Sign(')') => break,
            _ => return None,
        }
    }
    *at += 1;
    Some(words)
}

/// `{a="1", b!~"2"}`, or nothing.
fn matchers(tokens: &[Token], at: &mut usize) -> Option<Vec<(String, String)>> {
    let mut matchers = Vec::new();
    if tokens.get(*at) != Some(&Token::Sign('{')) {
        return Some(matchers);
    }
    let mut label = None;
    loop {
        *at += 1;
        match tokens.get(*at)? {
            Token::Word(word) => label = Some(word.clone()),
            Token::Text(value) => matchers.push((label.take()?, value.clone())),
            Token::Sign('}') => break,
            Token::Sign('=' | '!' | '~' | ',') => {}
            Token::Sign(_) => return None,
        }
    }
    *at += 1;
    Some(matchers)
}

#[test]
fn a_query_names_metrics_labels_and_groupings() {
    let query = Query::parse(
        r#"sum by (job, kind) (rate(a_total{kind="x", s=~"5.."}[5m])) / 2e9
           and on (job) b offset 1h"#,
    )
    .unwrap();
    let selector = |metric: &str, matchers: &[(&str, &str)]| Selector {
        metric: metric.to_owned(),
        matchers: matchers
            .iter()
            .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
            .collect(),
    };
    assert_eq!(
        query.selectors,
        [
            selector("a_total", &[("kind", "x"), ("s", "5..")]),
            selector("b", &[])
        ]
    );
    let grouping = |labels: &[&str], of: Range<usize>| Grouping {
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        of,
    };
    assert_eq!(
        query.groupings,
        [grouping(&["job", "kind"], 0..1), grouping(&["job"], 0..2)]
    );
    assert_eq!(query.aggregations, 1);
}

#[test]
fn what_cannot_be_checked_is_refused() {
    for query in [
        "sum(a) by (b)",
        "sum without (b) (a)",
        "{job=\"a\"}",
        "a * on (b) group_left (c) d",
        "(a",
        "a{b=\"c\"",
    ] {
        assert!(Query::parse(query).is_err(), "{query}");
    }
}
