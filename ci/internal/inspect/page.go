package inspect

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/findings"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/score"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageSheet string

// page has no script, and its content security policy forbids scripts: whatever a
// service sends is text.
var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"number": func(heading string) bool { return strings.HasPrefix(heading, " ") },
	"clean":  report.Clean,
	"words":  func(text any) string { return strings.ReplaceAll(fmt.Sprint(text), "_", " ") },
}).Parse(pageText))

// WriteHTML writes the inspection as one HTML page, which needs no other file.
func (i Inspection) WriteHTML(w io.Writer) error {
	var b bytes.Buffer
	err := page.Execute(&b, struct {
		Sheet    template.CSS
		Headline string
		Card     score.Card
		Rules    []rules
		Findings []findings.Finding
		Sections []section
	}{template.CSS(pageSheet), i.headline(), i.Score, byOutcome(i.Score), i.Findings, i.sections()})
	if err != nil {
		return fmt.Errorf("drawing the inspection: %w", err)
	}
	_, err = b.WriteTo(w)
	return err
}

// rules are the rules of the score with one outcome.
type rules struct {
	Outcome score.Outcome
	Title   string
	Rules   []score.Rule
}

func byOutcome(card score.Card) []rules {
	all := []rules{{score.Failed, "Failed", nil}, {score.NotEvaluated, "Not evaluated", nil}, {score.Passed, "Passed", nil}}
	for _, r := range card.Rules {
		for n := range all {
			if all[n].Outcome == r.Outcome {
				all[n].Rules = append(all[n].Rules, r)
			}
		}
	}
	return all
}
