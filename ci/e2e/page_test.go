package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// A person adds a user, sees it, deletes it, presses the slow button, reads the
// trace id and finds that trace in Tempo, with the statement that took the time.
func TestPage(t *testing.T) {
	t.Parallel()
	chromium := findChromium(t)
	l := borrowLab(t)
	page := openBrowser(t, chromium)
	const email = "page-test@example.com"
	row := fmt.Sprintf(`//*[@id="users"]//tr[@data-user-id][td[.=%q]]`, email)
	for _, step := range []struct {
		what   string
		action chromedp.Action[chromedp.Void]
	}{
		{"open the page", chromedp.Navigate(l.addresses.Frontend)},
		{"see the sample users", chromedp.WaitVisible(chromedp.CSS(`#users tbody tr[data-user-id]`))},
		{"type a name", chromedp.SendKeys(chromedp.CSS(`#add-form input[name=name]`), "Page Test")},
		{"type an e-mail", chromedp.SendKeys(chromedp.CSS(`#add-form input[name=email]`), email)},
		{"add the user", chromedp.Click(chromedp.CSS(`#add-form button`))},
		{"see the user", chromedp.WaitVisible(chromedp.Search(row))},
		{"delete the user", chromedp.Click(chromedp.Search(row + `//button[@class="delete"]`))},
		{"see the user gone", chromedp.WaitNotPresent(chromedp.Search(row))},
		{"press the slow button", chromedp.Click(chromedp.CSS(`#slow`))},
		{"see it answered", chromedp.WaitVisible(chromedp.Search(`//*[@id="message"][contains(., "slow query answered")]`))},
	} {
		if err := chromedp.Do(page, step.action); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
	}
	traceID, err := chromedp.Run(page, chromedp.Text(chromedp.CSS(`#trace-id`)))
	if err != nil {
		t.Fatalf("reading the trace id: %v", err)
	}
	link, err := chromedp.Run(page, chromedp.Evaluate[string](`document.querySelector("#trace-link").href`))
	if err != nil {
		t.Fatalf("reading the link: %v", err)
	}
	traceID = strings.TrimSpace(traceID)
	if l.addresses.Grafana == "" && link != l.addresses.Inspector+"/trace/"+traceID {
		t.Errorf("the link to the trace %s is %s", traceID, link)
	}
	tempo := query.Tempo{URL: l.addresses.Tempo, HTTP: client}
	l.eventually("the trace "+traceID+" has a SQL span of 750 ms", func() bool {
		spans, err := tempo.Trace(t.Context(), traceID)
		if err != nil && !errors.Is(err, query.ErrNotFound) {
			t.Fatal(err)
		}
		for _, s := range spans {
			if s.Attributes["db.system.name"] == "sqlite" && s.Duration() >= 750*time.Millisecond {
				return true
			}
		}
		return false
	})
	var printed string
	l.eventually("`lab trace` prints the statement and both access-log lines", func() bool {
		printed = l.lab("trace", traceID)
		return strings.Contains(printed, "SELECT lab_sleep(?)") && strings.Count(printed, "http.response.status_code=200") == 2
	})
	t.Logf("lab trace prints\n%s", printed)
	if l.addresses.Grafana == "" {
		l.tracePage(page, link)
	}
}

// tracePage follows the link to a trace on a machine without Grafana, where it leads to a
// page for people: the spans of both services, the SQL, both services' log lines.
func (l *testLab) tracePage(page context.Context, link string) {
	l.Helper()
	var text string
	l.eventually("the page of the trace shows its spans, its SQL and both services' lines", func() bool {
		if err := chromedp.Do(page, chromedp.Navigate(link)); err != nil {
			l.Fatal(err)
		}
		var err error
		if text, err = chromedp.Run(page, chromedp.Evaluate[string](`document.body.innerText`)); err != nil {
			l.Fatal(err)
		}
		rows, err := chromedp.Run(page, chromedp.Evaluate[int](`[...document.querySelectorAll(".waterfall .bar")].filter(b => b.getBoundingClientRect().width >= 2).length`))
		if err != nil {
			l.Fatal(err)
		}
		return rows >= 4 && strings.Contains(text, "SELECT lab_sleep(?)") && strings.Count(text, "http.response.status_code=200") == 2
	})
	l.Logf("the page of the trace says\n%s", text)
}

// openBrowser starts Chromium with an empty page.
func openBrowser(t *testing.T, program string) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true)))
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, patience)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("starting %s: %v", program, err)
	}
	return ctx
}

func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROME"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	t.Skip("chromium not found: apt-get install chromium")
	return ""
}
