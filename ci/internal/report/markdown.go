package report

import (
	"fmt"
	"io"
	"strings"
)

// writeMarkdown renders the report as GitHub's and GitLab's Markdown, for the summary of a
// CI run: a sentence, a table of what did not pass, the details of each failure to unfold,
// and a table of all groups.
func writeMarkdown(w io.Writer, r Report) error {
	var b strings.Builder
	n := r.Count()
	mark := "✅"
	if !r.OK() {
		mark = "❌"
	}
	fmt.Fprintf(&b, "### %s %s: %d passed, %d failed", mark, markdownText(r.Name), n.Passed, n.Failed)
	if n.Skipped > 0 {
		fmt.Fprintf(&b, ", %d skipped", n.Skipped)
	}
	fmt.Fprintf(&b, " in %s\n", Elapsed(r.Duration))
	if n.Failed+n.Skipped > 0 {
		b.WriteString("\n| | check | measured | expected |\n|---|---|---|---|\n")
		for _, g := range r.groups() {
			for _, c := range g.checks {
				if c.Status != Pass {
					markdownRow(&b, c)
				}
			}
		}
	}
	for _, g := range r.groups() {
		for _, c := range g.checks {
			if c.Failed() && c.Detail != "" {
				markdownDetail(&b, c)
			}
		}
	}
	if len(r.Checks) > 0 {
		b.WriteString("\n<details><summary>all groups</summary>\n\n| group | passed | failed | skipped |\n|---|---|---|---|\n")
		for _, g := range r.groups() {
			n := count(g.checks)
			fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", markdownText(g.name), n.Passed, n.Failed, n.Skipped)
		}
		b.WriteString("\n</details>\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the report as Markdown: %w", err)
	}
	return nil
}

// markdownRow is the line of one check in the table.
func markdownRow(b *strings.Builder, c Check) {
	mark := "❌"
	if c.Status == Skip {
		mark = "skipped"
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s |\n", mark, markdownName(c), markdownText(cell(c)), markdownText(c.Expected))
}

func markdownName(c Check) string {
	if c.Group == "" {
		return markdownText(c.Name)
	}
	return markdownText(c.Group + ": " + c.Name)
}

// markdownDetail is the detail of a failed check, as a block of code to unfold.
func markdownDetail(b *strings.Builder, c Check) {
	detail := strings.TrimRight(Clean(c.Detail), "\n")
	fence := "```"
	for strings.Contains(detail, fence) { // so that no line of the detail ends the block
		fence += "`"
	}
	fmt.Fprintf(b, "\n<details><summary>%s</summary>\n\n%s\n%s\n%s\n\n</details>\n", htmlText(strings.TrimPrefix(c.Group+": "+c.Name, ": ")), fence, detail, fence)
}

// markdownText is text for a cell of a table: one line, in which no character means
// anything to Markdown or HTML.
func markdownText(s string) string { return markdownEscapes.Replace(OneLine(s)) }

var markdownEscapes = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`,
	`\`, `\\`, "~", `\~`, "#", `\#`, "!", `\!`, "@", "&#64;", // @ would notify a person of that name
)

// htmlText is one line of text within an HTML element, where Markdown means nothing.
func htmlText(s string) string { return htmlEscapes.Replace(OneLine(s)) }

var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "&#64;")
