package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
)

//go:embed page
var pageFiles embed.FS

// contentSecurityPolicy allows the page to load its own style sheet, script and icon,
// and to talk to its own server. It forbids inline code, other hosts, frames, and
// markup made from strings.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// asset is an embedded file that the browser fetches. Its address contains a digest of
// its content, so that browsers may cache it forever.
type asset struct {
	address     string
	contentType string
	content     []byte
}

// assets are the embedded files, by name.
type assets map[string]asset

// loadAssets reads the embedded style sheet, script and icon.
func loadAssets() (assets, error) {
	found := assets{}
	for _, name := range []string{"page.css", "page.js", "favicon.svg"} {
		content, err := fs.ReadFile(pageFiles, path.Join("page", name))
		if err != nil {
			return nil, fmt.Errorf("reading an embedded file: %w", err)
		}
		sum := sha256.Sum256(content)
		found[name] = asset{
			address:     "/assets/" + hex.EncodeToString(sum[:6]) + "/" + name,
			contentType: contentType(name),
			content:     content,
		}
	}
	return found, nil
}

// contentType returns the media type for a file's name. It does not ask
// [mime.TypeByExtension] about scripts, style sheets and icons, because that function's
// answer depends on the machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// serve handles GET /assets/{digest}/{name}. Browsers may cache the answer for a year,
// because the address changes with the content.
func (files assets) serve(w http.ResponseWriter, r *http.Request) error {
	a, ok := files[r.PathValue("name")]
	if !ok || a.address != r.URL.Path {
		return httpx.Errorf(http.StatusNotFound, "There is nothing at this path.")
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", strconv.Itoa(len(a.content)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(a.content) // an error means that the browser has disconnected
	return nil
}

// parsePage parses the page's template. The template's function "asset" returns the
// address of an embedded file.
func parsePage(files assets) (*template.Template, error) {
	address := func(name string) (string, error) {
		a, ok := files[name]
		if !ok {
			return "", fmt.Errorf("no embedded file %q", name)
		}
		return a.address, nil
	}
	page, err := template.New("page.html").Funcs(template.FuncMap{"asset": address}).ParseFS(pageFiles, "page/page.html")
	if err != nil {
		return nil, fmt.Errorf("reading the page's template: %w", err)
	}
	return page, nil
}

// siteHeaders are the headers of every answer of the frontend. The referrer policy is
// not "no-referrer", because browsers would then send "Origin: null" with the page's
// own forms.
var siteHeaders = map[string]string{
	"Content-Security-Policy":      contentSecurityPolicy,
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// securityHeaders sets siteHeaders on every answer.
func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range siteHeaders {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}
