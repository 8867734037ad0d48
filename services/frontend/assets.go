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

// contentSecurityPolicy lets the page load its own sheet, script and icon, talk
// to its own server, and nothing else: no inline code, no other host, no frame,
// and no string that becomes markup.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// asset is one embedded file that the browser fetches. Its address holds a
// digest of its content, so it may be cached for good and is never stale.
type asset struct {
	address     string
	contentType string
	content     []byte
}

// assets are the files that the browser fetches, by their name.
type assets map[string]asset

// loadAssets reads the embedded sheet, script and icon.
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

// contentType is the media type by the name's ending. Scripts and icons are
// named here because the answer of [mime.TypeByExtension] depends on the machine.
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

// serve is GET /assets/{digest}/{name}. The address changes with the content,
// hence the year.
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
	_, _ = w.Write(a.content) // a browser that went away is not our failure
	return nil
}

// parsePage reads the page's template; "asset" in it gives a file's address.
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

// siteHeaders is what every answer of the frontend carries. The referrer stays
// within the site, and is not "no-referrer": that would make a browser send
// "Origin: null" with the page's own forms.
var siteHeaders = map[string]string{
	"Content-Security-Policy":      contentSecurityPolicy,
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// securityHeaders sets the site's headers before anything else may answer.
func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range siteHeaders {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}
