package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// page is held by the test whose lab the built page of the browser example sends to.
var page sync.Mutex

// example is the folder of an example, with its npm packages if it needs any.
func example(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(root, "examples", name)
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil {
		return dir
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s not found: apt-get install nodejs npm", program)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		t.Skipf("no packages: npm --prefix examples/%s ci", name)
	}
	return dir
}

// runExample starts an example with `lab run`, waits until it answers, and returns its
// address. The example gets an interrupt when the test ends.
func (l *testLab) runExample(dir, service string, command ...string) (address string) {
	l.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	cmd := exec.Command(program, append([]string{"run", "--dir", l.dir, "--service", service, "--"}, command...)...)
	cmd.Dir = dir
	// The detectors of clouds ask addresses that this machine does not have.
	cmd.Env = append(os.Environ(), "PORT="+port, "FRONTEND_URL="+l.addresses.Frontend, "OTEL_NODE_RESOURCE_DETECTORS=env,host,os,process,serviceinstance")
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // the exit code is the application's
		l.Logf("lab run %v:\n%s", command, output.String())
	})
	address = "http://127.0.0.1:" + port
	l.eventually(service+" answers", func() bool {
		response, err := client.Get(address + "/health")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return address
}

// What the examples send is what their cases say.
func TestExampleCases(t *testing.T) {
	t.Parallel()
	chromium := findChromium(t)
	needStack(t)
	for _, name := range []string{"browser", "node"} {
		example(t, name)
	}
	page.Lock()
	defer page.Unlock()
	l := borrowLab(t)
	cmd := l.command("check", "--case-timeout", patience.String(), "examples")
	cmd.Env = append(os.Environ(), "FRONTEND_URL="+l.addresses.Frontend, "CHROME="+chromium)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("lab check: %v\n%s", err, out)
	}
	for _, name := range []string{"the Go example", "the Node.js example", "the browser example"} {
		if !strings.Contains(string(out), "· "+name+": passed") {
			t.Errorf("%s has not passed:\n%s", name, out)
		}
	}
}

// A click on the page of the browser example is one trace, through the Node.js example and
// both sample services down to the SQL.
func TestBrowserExample(t *testing.T) {
	t.Parallel()
	chromium := findChromium(t)
	needStack(t)
	dir := example(t, "browser")
	example(t, "node")
	page.Lock()
	t.Cleanup(page.Unlock)
	l := borrowLab(t)
	service := "shop-" + randomID(4)
	begin := time.Now().Add(-time.Minute)
	address := l.runExample(dir, service, "npm", "run", "shop")

	browser := openBrowser(t, chromium)
	for _, action := range []chromedp.Action[chromedp.Void]{
		chromedp.Navigate(address), chromedp.Click(chromedp.CSS(`#load`)), chromedp.WaitVisible(chromedp.CSS(`#customers li`)),
	} {
		if err := chromedp.Do(browser, action); err != nil {
			t.Fatal(err)
		}
	}
	query := fmt.Sprintf(`{resource.service.name="shop-page" && name="click"} && {resource.service.name=%q}`, service)
	var traceID string
	l.eventually("the trace of the click is stored", func() bool {
		found, err := l.tempo().Search(t.Context(), query, begin, time.Now().Add(time.Minute), 2)
		if err != nil || len(found) == 0 {
			return false
		}
		traceID = found[0]
		return len(found) == 1
	})
	l.hasTree(traceID, "shop-page click internal", "shop-page GET client", service+" GET /customers server", service+" GET client",
		"frontend GET /api/users server", "frontend GET /users client", "backend GET /users server", "backend SELECT users client")
}

// hasTree waits until a trace has the spans, each below the one before, with others in
// between or not: "service name kind" each. All spans of the trace must be joined.
func (l *testLab) hasTree(traceID string, chain ...string) {
	l.Helper()
	var problem string
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		spans, err := l.tempo().Trace(l.Context(), traceID)
		if problem = notChain(spans, chain); problem == "" {
			return
		}
		if time.Now().After(end) {
			l.Fatalf("trace %s: %s (%v)", traceID, problem, err)
		}
	}
}

// notChain says why the spans are not such a chain; it returns "" when they are.
func notChain(spans []query.Span, chain []string) string {
	byID, roots := map[string]query.Span{}, 0
	for _, s := range spans {
		byID[s.ID] = s
	}
	for _, s := range spans {
		if _, ok := byID[s.ParentID]; !ok {
			roots++
		}
	}
	if roots != 1 {
		return fmt.Sprintf("of %d spans %d have no parent among them, want 1", len(spans), roots)
	}
	last := chain[len(chain)-1]
	for _, s := range spans {
		if line(s) != last {
			continue
		}
		left := len(chain) - 1
		for at, ok := s, true; ok && left >= 0; at, ok = byID[at.ParentID] {
			if line(at) == chain[left] {
				left--
			}
		}
		if left < 0 {
			return ""
		}
		return fmt.Sprintf("above %s there is no %s", last, chain[left])
	}
	var all []string
	for _, s := range spans {
		all = append(all, line(s))
	}
	return fmt.Sprintf("no %s among %v", last, all)
}

func line(s query.Span) string { return s.Service + " " + s.Name + " " + string(s.Kind) }
