package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// sender is a page that sends like a web SDK: JSON over fetch, for which the browser first
// asks for permission.
const sender = `<!doctype html><meta charset="utf-8"><title>a page that sends a span</title><pre id="out"></pre><script>
const now = BigInt(Date.now()) * 1000000n;
const span = {traceId: "%[2]s", spanId: "0a1b2c3d4e5f6071", name: "click", kind: 1,
  startTimeUnixNano: String(now - 5000000n), endTimeUnixNano: String(now)};
fetch("%[1]s/v1/traces", {method: "POST", headers: {"Content-Type": "application/json", "traceparent": "00-%[2]s-0a1b2c3d4e5f6071-01"},
  body: JSON.stringify({resourceSpans: [{resource: {attributes: [{key: "service.name", value: {stringValue: "page"}}]}, scopeSpans: [{spans: [span]}]}]})})
  .then(r => out.textContent = "answered " + r.status, e => out.textContent = "refused");
</script>`

// A page from this machine may send spans from a browser, whatever its port. A page from
// another machine may send only if --allow-origin names it.
func TestGuestPages(t *testing.T) {
	t.Parallel()
	chromium := findChromium(t)
	const elsewhere = "127.0.0.2"
	l := newLab(t)
	l.pagesSend(chromium, map[string]string{"localhost": "answered 200", "127.0.0.1": "answered 200", "[::1]": "answered 200", elsewhere: "refused"})
	l.lab("up", "--detach", "--allow-origin", "http://"+elsewhere+":*")
	l.pagesSend(chromium, map[string]string{"localhost": "refused", elsewhere: "answered 200"})
}

// pagesSend opens the page in a browser under each host's name, and compares its text with
// the wanted one.
func (l *testLab) pagesSend(chromium string, want map[string]string) {
	l.Helper()
	browser := openBrowser(l.T, chromium)
	for host, want := range want {
		traceID := randomID(16)
		listener, err := net.Listen("tcp", host+":0")
		if err != nil {
			l.Logf("this machine has no %s: %v", host, err)
			continue
		}
		page := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, sender, "http://"+target.Loopback(l.ports.AlloyOTLPHTTP), traceID)
		}))
		page.Listener.Close()
		page.Listener = listener
		page.Start()
		defer page.Close()
		_, port, _ := strings.Cut(strings.ReplaceAll(listener.Addr().String(), "[::1]", "v6"), ":")
		if err := chromedp.Do(browser, chromedp.Navigate("http://"+host+":"+port+"/")); err != nil {
			l.Fatal(err)
		}
		var said string
		l.eventually("the page of "+host+" says what it was answered", func() bool {
			said, err = chromedp.Run(browser, chromedp.Text(chromedp.CSS(`#out`)))
			return err == nil && said != ""
		})
		if said != want {
			l.Errorf("a page of %s: %s, want %s", host, said, want)
		}
		if strings.HasPrefix(want, "answered") {
			l.stores([]string{traceID})
		}
	}
}
