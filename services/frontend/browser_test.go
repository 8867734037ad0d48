package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestBrowser uses the page in a real browser with the real backend: with the script,
// without it, and after the backend has died.
func TestBrowser(t *testing.T) {
	chromium := findChromium(t)
	backend, backendLogs, kill := startBackend(t)
	base, _, _ := startFrontend(t, map[string]string{"LISTEN_ADDR": "127.0.0.1:0", "BACKEND_URL": backend,
		"LAB_FAULTS": "true", "PUBLIC_ENDPOINT": "false", "LAB_TRACE_URL": "http://127.0.0.1:3000/explore?left={\"query\":\"{trace_id}\"}"})
	fill(t, base, pageSize)

	browser := startBrowser(t, chromium)
	for _, script := range []bool{true, false} {
		t.Run(fmt.Sprintf("script=%t", script), func(t *testing.T) {
			tab := browser.open(t, script)
			for _, trace := range walk(tab, base, fmt.Sprintf("walker-%t@example.com", script)) {
				backendLogs.wait(t, `"msg":"request"`, `"trace_id":"`+trace+`"`)
			}
		})
	}
	t.Run("pages", func(t *testing.T) { turnPages(browser.open(t, true), base) })
	t.Run("narrow", func(t *testing.T) { checkNarrow(browser.open(t, true), base) })
	t.Run("statistics", func(t *testing.T) {
		checkStatistics(browser.open(t, true), newSite(t, newFakeBackend(t, nil, "Ada").URL, nil).URL)
	})
	t.Run("not sampled", func(t *testing.T) {
		t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
		checkUnsampled(browser.open(t, true), newSite(t, newFakeBackend(t, nil, "Ada").URL, nil).URL)
	})
	t.Run("backend dies", func(t *testing.T) {
		tab := browser.open(t, true)
		tab.do(chromedp.Navigate(base))
		kill()
		tab.do(chromedp.Click(chromedp.CSS("#slow")))
		tab.waitText("message", "The backend cannot be reached.")
		tab.expectText("#last-status", "502")
		tab.do(chromedp.Navigate(base), chromedp.WaitVisible(chromedp.CSS("#list-error")))
	})
}

// walk does what a person does on the page: it adds a user, adds the same user again
// and is refused, deletes the user, and causes a slow and a failing query. It returns
// the trace ids of these two queries.
func walk(tab *tab, base, email string) []string {
	tab.Helper()
	const name = "Walker <b>& Co</b>"
	row := chromedp.Search(fmt.Sprintf(`//*[@id="users"]//tr[@data-user-id][td[.=%q]]`, email))
	tab.do(chromedp.Navigate(base), chromedp.WaitVisible(chromedp.CSS("#users tbody tr[data-user-id]")))
	loaded := tab.trace()
	users := tab.text("[data-stat=users]")
	tab.eval("window.marker = 'not reloaded'")

	tab.add(name, email)
	tab.waitText("message", name+" was added.")
	tab.do(chromedp.WaitVisible(row))
	tab.expectText("#last-status", "201")
	added := tab.trace()

	tab.add(name, strings.ToUpper(email))
	tab.waitText("email-error", "Another user has this e-mail address.")
	tab.expectText("#last-status", "409")
	tab.do(chromedp.WaitVisible(chromedp.CSS("#email[aria-invalid=true]")))

	tab.do(chromedp.Navigate(base + "/")) // clears the form; the user is then on its own page of the list
	for range 2 {
		if tab.eval("document.querySelector('#next-page').hidden") != "true" {
			tab.do(chromedp.Click(chromedp.CSS("#next-page")))
			tab.do(chromedp.WaitNotVisible(chromedp.CSS("#next-page")))
		}
	}
	tab.eval("window.marker = 'not reloaded'")
	tab.do(chromedp.Click(chromedp.Search(string(row) + `//button[@class="delete"]`)))
	tab.waitText("message", "was deleted.")
	tab.do(chromedp.WaitNotPresent(row))
	tab.expectText("#last-status", "204")
	tab.waitText("stats", users)
	deleted := tab.trace()

	tab.do(chromedp.Click(chromedp.CSS("#slow")))
	tab.waitText("message", "The slow query answered.")
	tab.expectText("#last-status", "200")
	slow := tab.trace()

	tab.do(chromedp.Click(chromedp.CSS("#fail")))
	tab.waitText("message", "The query failed, as you asked.")
	tab.expectText("#last-status", "500")
	failed := tab.trace()

	distinct := map[string]bool{loaded: true, added: true, deleted: true, slow: true, failed: true}
	if len(distinct) != 5 {
		tab.Errorf("five requests have %d traces", len(distinct))
	}
	if reloaded := tab.eval("String(window.marker)") != "not reloaded"; reloaded == tab.script {
		tab.Errorf("with script %t the page was reloaded: %t", tab.script, reloaded)
	}
	return []string{slow, failed}
}

// turnPages goes to the next page and back without a reload. It checks that the script
// renders a page as the server does.
func turnPages(tab *tab, base string) {
	tab.Helper()
	const content = "document.querySelector('#users tbody').innerText + document.querySelector('#stats').innerText.replace(/Backend up for\\s+[^\\n]+/, '')"
	second := fmt.Sprintf("#users tr[data-user-id='%d']", pageSize+1)
	tab.do(chromedp.Navigate(base))
	fromServer := tab.eval(content)
	tab.eval("window.marker = 'not reloaded'")
	tab.do(chromedp.Click(chromedp.CSS("#next-page")), chromedp.WaitVisible(chromedp.CSS(second)), chromedp.WaitVisible(chromedp.CSS("#first-page")))
	if at := tab.eval("location.search"); !strings.HasPrefix(at, "?cursor=") {
		tab.Errorf("the second page is at %q", at)
	}
	tab.eval("history.back()")
	tab.do(chromedp.WaitNotPresent(chromedp.CSS(second)), chromedp.WaitVisible(chromedp.CSS("#users tr[data-user-id='1']")))
	if fromScript := tab.eval(content); fromScript != fromServer {
		tab.Errorf("the script writes\n%s\nthe server wrote\n%s", fromScript, fromServer)
	}
	if tab.eval("String(window.marker)") != "not reloaded" {
		tab.Errorf("the page was reloaded")
	}
}

// checkStatistics checks that the script renders the statistics as the server does.
func checkStatistics(tab *tab, base string) {
	tab.Helper()
	tab.do(chromedp.Navigate(base))
	fromServer := tab.text("#stats")
	tab.eval("document.querySelector('[data-stat=users]').textContent = 'old'")
	tab.do(chromedp.Click(chromedp.CSS("button.delete")))
	tab.waitText("stats", "12,345")
	if fromScript := tab.text("#stats"); fromScript != fromServer {
		tab.Errorf("the script writes\n%s\nthe server wrote\n%s", fromScript, fromServer)
	}
}

// checkUnsampled checks that the panel shows a trace that is not sampled without a
// link, as the server renders it and as the script does.
func checkUnsampled(tab *tab, base string) {
	tab.Helper()
	tab.do(chromedp.Navigate(base))
	for _, message := range []string{"You loaded this page.", "The query failed, as you asked."} {
		tab.waitText("message", message)
		tab.do(chromedp.WaitVisible(chromedp.CSS("#trace-unsampled")), chromedp.WaitNotVisible(chromedp.CSS("#trace-link")))
		if id := tab.text("#trace-id"); !traceID.MatchString(id) {
			tab.Errorf("trace id = %q", id)
		}
		tab.do(chromedp.Click(chromedp.CSS("#fail")))
	}
}

// checkNarrow looks for elements that are wider than a small telephone's screen, and
// for fields without a label.
func checkNarrow(tab *tab, base string) {
	tab.Helper()
	tab.do(chromedp.EmulateViewport(360, 740), chromedp.Navigate(base))
	if out := tab.eval("[...document.querySelectorAll('body *:not(.quiet, .skip)')].filter(e => e.getBoundingClientRect().right > 360).map(e => e.outerHTML.slice(0, 80)).join()"); out != "" {
		tab.Errorf("wider than the screen: %s", out)
	}
	if unnamed := tab.eval("[...document.querySelectorAll('input:not([type=hidden])')].filter(e => !e.labels.length).map(e => e.name).join()"); unnamed != "" {
		tab.Errorf("without a label: %s", unnamed)
	}
}

// fill adds n users through the frontend.
func fill(t *testing.T, base string, n int) {
	t.Helper()
	for i := range n {
		body := strings.NewReader(fmt.Sprintf(`{"name":"Guest %d","email":"guest%d@example.com"}`, i, i))
		res, err := http.Post(base+"/api/users", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusCreated {
			t.Fatalf("adding a user: %s", res.Status)
		}
	}
}

// browser is a running Chromium.
type browser struct{ ctx context.Context }

func startBrowser(t *testing.T, program string) browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true)))
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("starting %s: %v", program, err)
	}
	return browser{ctx}
}

// stepPatience bounds one step in a tab. It is much shorter than the tab's own timeout,
// so that the test can still print the page after a step has failed.
const stepPatience = patience / 3

// tab is a tab of the browser. Its failures fail the test.
type tab struct {
	*testing.T
	ctx    context.Context
	script bool
}

// open opens a tab, with or without scripts. A message on the browser's console fails
// the test, unless it is about an answer with an error status. Violations of the
// content security policy are reported on the console.
func (b browser) open(t *testing.T, script bool) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	ctx, stop := context.WithTimeout(ctx, 2*patience)
	t.Cleanup(func() { stop(); cancel() })
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !script}); err != nil {
		t.Fatal(err)
	}
	messages := chromedp.Console(ctx)
	go func() {
		for message, err := range messages {
			if err != nil {
				return
			}
			if !strings.HasPrefix(message.Text, "Failed to load resource") {
				t.Errorf("the browser says: %s", message)
			}
		}
	}()
	return &tab{t, ctx, script}
}

func (tab *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tab.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepPatience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tab.Fatalf("%v; the panel shows:\n%s", err, tab.eval("document.querySelector('#last').innerText"))
	}
}

// eval returns the value of a JavaScript expression as text. It works even if the
// page's own scripts are off.
func (tab *tab) eval(expression string) string {
	tab.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepPatience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		tab.Fatalf("%s: %v", expression, err)
	}
	return value
}

func (tab *tab) text(css string) string {
	tab.Helper()
	return tab.eval(fmt.Sprintf("document.querySelector(%q).textContent", css))
}

func (tab *tab) expectText(css, want string) {
	tab.Helper()
	if got := tab.text(css); got != want {
		tab.Errorf("%s says %q, want %q", css, got, want)
	}
}

// waitText waits until the element with the id contains the text.
func (tab *tab) waitText(id, text string) {
	tab.Helper()
	tab.do(chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//*[@id=%q][contains(., %q)]`, id, text))))
}

func (tab *tab) add(name, email string) {
	tab.Helper()
	const form = "#add-form "
	tab.do(
		chromedp.SendKeys(chromedp.CSS(form+"input[name=name]"), name),
		chromedp.SendKeys(chromedp.CSS(form+"input[name=email]"), email),
		chromedp.Click(chromedp.CSS(form+"button")),
	)
}

// trace returns the trace id on the page. It checks the id's form and the link.
func (tab *tab) trace() string {
	tab.Helper()
	id := tab.text("#trace-id")
	if !traceID.MatchString(id) {
		tab.Errorf("trace id = %q", id)
	}
	if href := tab.eval("document.querySelector('#trace-link').href"); !strings.HasPrefix(href, "http://127.0.0.1:3000/") || !strings.Contains(href, id) {
		tab.Errorf("trace link = %q for %s", href, id)
	}
	return id
}
