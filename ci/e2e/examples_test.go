package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

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

// Each roll of the Go example is one trace with its line, and is counted once.
func TestGoExample(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	const n = 10
	service := "dice-" + randomID(4)
	address := l.runExample(example(t, "go"), service, "go", "run", ".")
	for range n {
		traceID := l.visit(address + "/rolldice/ada")
		l.hasTree(traceID, service+" GET /rolldice/{player} server", service+" roll internal")
		l.line(fmt.Sprintf("{service_name=%q, level=\"info\"} |= \"ada is rolling the dice\" | trace_id=%q", service, traceID))
	}
	l.has(fmt.Sprintf(`sum(dice_rolls_total{job=%q})`, service), 1, n)
	l.has(fmt.Sprintf(`sum(http_server_request_duration_seconds_count{job=%q, http_route="/rolldice/{player}"})`, service), 1, n)
	l.has(fmt.Sprintf(`dice_rolls_total{job=%q, lab_run_id=""}`, service), 0, -1)
}

// A click on the page of the browser example is one trace, through the Node.js example and
// both sample services down to the SQL.
func TestBrowserExample(t *testing.T) {
	t.Parallel()
	chromium := findChromium(t)
	needStack(t)
	page := example(t, "browser")
	example(t, "node")
	l := borrowLab(t)
	service := "shop-" + randomID(4)
	begin := time.Now().Add(-time.Minute)
	address := l.runExample(page, service, "npm", "run", "shop")
	l.nodeExample(address, service)

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

// nodeExample checks what requests to the Node.js example leave.
func (l *testLab) nodeExample(address, service string) {
	l.Helper()
	const n = 5
	for range n {
		traceID := l.visit(address + "/customers")
		l.hasTree(traceID, service+" GET /customers server", service+" GET client", "frontend GET /api/users server",
			"frontend GET /users client", "backend GET /users server", "backend SELECT users client")
		l.line(fmt.Sprintf("{service_name=%q, level=\"info\"} |= \"customers read\" | trace_id=%q", service, traceID))
	}
	l.has(fmt.Sprintf(`sum(http_server_request_duration_seconds_count{job=%q, http_route="/customers"})`, service), 1, n)
}

// visit sends a request as the caller of a new trace, and returns the trace's id.
func (l *testLab) visit(url string) (traceID string) {
	l.Helper()
	traceID = randomID(16)
	request, err := http.NewRequestWithContext(l.Context(), http.MethodGet, url, nil)
	if err != nil {
		l.Fatal(err)
	}
	request.Header.Set("Traceparent", "00-"+traceID+"-"+randomID(8)+"-01")
	response, err := (&http.Client{Timeout: patience}).Do(request)
	if err != nil {
		l.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		l.Fatalf("%s: %s", url, response.Status)
	}
	return traceID
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

// Every example has a case, which the command for cases can read.
func TestExampleCasesAreValid(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(root, "examples", "*", "README.md"))
	if err != nil || len(dirs) < 3 {
		t.Fatalf("%d examples, %v", len(dirs), err)
	}
	for _, readme := range dirs {
		all, problems := cases.Load([]string{filepath.Join(filepath.Dir(readme), "case.yaml")})
		for _, p := range problems {
			t.Error(p)
		}
		if len(all) != 1 || all[0].Run == nil {
			t.Errorf("%s: %d cases, want one that starts the example", filepath.Dir(readme), len(all))
		}
	}
}
