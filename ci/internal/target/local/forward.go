package local

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// maxHeaders is the number of headers that config/alloy/copy/forward.alloy has room for.
const maxHeaders = 4

// Forward is another OTLP endpoint that gets a copy of all telemetry, as it came in. The
// zero value is none.
type Forward struct {
	url     string
	headers []header
}

type header struct{ name, value string }

// NewForward returns the endpoint at an http or https URL, which takes OTLP as
// http/protobuf. Each line of the file, "" being no file, is a header that the endpoint
// wants, as "Name: value". Errors never contain a value.
func NewForward(endpoint, file string) (f Forward, err error) {
	if endpoint == "" {
		if file != "" {
			return f, errors.New("--forward-headers needs --forward URL")
		}
		return f, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return f, errors.New("--forward: want the http or https URL of an OTLP endpoint, such as https://otlp.example.com; OTLP over gRPC is not sent")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return f, errors.New("--forward: the URL has a user, a query or a fragment; others can read it, so put what is secret into a file for --forward-headers")
	}
	f.url = strings.TrimSuffix(endpoint, "/")
	if file == "" {
		return f, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return f, fmt.Errorf("--forward-headers: %w", err)
	}
	for i, line := range strings.Split(string(raw), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		h := header{strings.TrimSpace(name), strings.TrimSpace(value)}
		if !ok || h.value == "" || !httpguts.ValidHeaderFieldName(h.name) || !httpguts.ValidHeaderFieldValue(h.value) {
			return f, fmt.Errorf("--forward-headers: line %d of %s is not \"Name: value\"", i+1, file)
		}
		f.headers = append(f.headers, h)
	}
	if len(f.headers) > maxHeaders {
		return f, fmt.Errorf("--forward-headers: %s has %d headers, and there is room for %d", file, len(f.headers), maxHeaders)
	}
	return f, nil
}

// slots are the headers, the last one repeated until there are maxHeaders of them.
func (f Forward) slots() (all []header) {
	for i := range maxHeaders {
		h := header{"X-Lab-Forward", "1"}
		if len(f.headers) > 0 {
			h = f.headers[min(i, len(f.headers)-1)]
		}
		all = append(all, h)
	}
	return all
}

// environment is what Alloy gets to know, with the folder of the values.
func (f Forward) environment(secrets string) []string {
	if f.url == "" {
		return []string{"LAB_FORWARD_COPY=off"}
	}
	var names []string
	for _, h := range f.slots() {
		names = append(names, h.name)
	}
	return []string{"LAB_FORWARD_COPY=forward", "LAB_FORWARD_URL=" + f.url, "LAB_FORWARD_HEADERS=" + strings.Join(names, ","), "LAB_FORWARD_SECRETS=" + secrets}
}

// write writes the values into the lab's folder, where only its owner can read them, in
// the place of those that were there.
func (f Forward) write(folder labdir.Folder, l layout) error {
	into, err := folder.Root()
	if err != nil {
		return err
	}
	defer into.Close()
	secrets := l.relative(l.secrets())
	if err := into.RemoveAll(secrets); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the headers of an earlier --forward: %w", err)
	}
	if f.url == "" {
		return nil
	}
	err = into.MkdirAll(secrets, 0o700)
	for i, h := range f.slots() {
		err = cmp.Or(err, into.WriteFile(path.Join(secrets, strconv.Itoa(i)), []byte(h.value), 0o600))
	}
	if err != nil {
		return fmt.Errorf("writing the headers of --forward: %w", err)
	}
	return nil
}
