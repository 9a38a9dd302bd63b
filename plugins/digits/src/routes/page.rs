//! The leaderboard as a page. It has no scripts and asks for nothing else.

use super::Row;
use std::fmt::Write;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}\
th,td{padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ccc;text-align:left}\
.n{text-align:right}code{word-break:break-all}";

/// What the page may do: have the style with this nonce.
pub(super) fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The page. Links are absolute, because it may be asked for without the slash at
/// the end.
pub(super) fn html(slug: &str, nonce: &str, rows: &[Row]) -> String {
    let slug = escape(slug);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{slug}: leaderboard</title>\n<style nonce=\"{nonce}\">{STYLE}</style>\n\
         <h1>{slug}</h1>\n"
    );
    if rows.is_empty() {
        html.push_str("<p>No standings yet: they come with the first finalization.</p>\n");
    } else {
        html.push_str(
            "<table>\n<tr><th class=\"n\">#<th class=\"n\">uid<th>hotkey\
             <th class=\"n\">score<th>committed (UTC)<th>submission</tr>\n",
        );
        for row in rows {
            let (rank, uid, score) = (row.rank, row.uid, row.score);
            let (hotkey, digest) = (
                escape(&row.hotkey),
                escape(row.digest.get(..12).unwrap_or("")),
            );
            let committed = utc(row.committed_at);
            // Writing to a string cannot fail.
            let _ = writeln!(
                html,
                "<tr><td class=\"n\">{rank}<td class=\"n\">{uid}<td><code>{hotkey}</code>\
                 <td class=\"n\">{score:.4}<td>{committed}<td><code>{digest}</code></tr>"
            );
        }
        html.push_str("</table>\n");
    }
    let _ = writeln!(
        html,
        "<p><a href=\"/challenges/{slug}/leaderboard\">As JSON</a> · \
         <a href=\"/challenges/{slug}/tasks/sample\">A sample of a task</a></p>\n</html>"
    );
    html
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A time as in `2026-01-31 12:00`.
fn utc(timestamp: f64) -> String {
    let minutes = (timestamp / 60.0).floor() as i64;
    let (days, minute) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}",
        minute / 60,
        minute % 60
    )
}

/// Year, month and day of a number of days since 1970-01-01. Years begin in March
/// here, so that a leap day is the last one.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let january = i64::from(month >= 10);
    (era * 400 + year + january, month + 3 - 12 * january, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        // From `date -u -d @SECONDS`.
        assert_eq!(utc(0.0), "1970-01-01 00:00");
        assert_eq!(utc(951_782_399.9), "2000-02-28 23:59");
        assert_eq!(utc(951_782_400.0), "2000-02-29 00:00");
        assert_eq!(utc(1_772_323_199.0), "2026-02-28 23:59");
        assert_eq!(utc(1_772_323_200.0), "2026-03-01 00:00");
        assert_eq!(utc(1_798_761_599.0), "2026-12-31 23:59");
        assert_eq!(utc(-1.0), "1969-12-31 23:59");
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escape("<b a=\"1\" b='&'>"),
            "&lt;b a=&quot;1&quot; b=&#39;&amp;&#39;&gt;"
        );
    }
}
