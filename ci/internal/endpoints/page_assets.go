package endpoints

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
)

var assetPattern = regexp.MustCompile(`(?:src|href)="([^"#?][^"]*)"`)

// checkAssets asks for everything that the page refers to on its own host. Each must
// be there. References to other hosts are links for people, and are not asked for.
func checkAssets(ctx context.Context, s *session) (string, error) {
	page, err := s.do(ctx, http.MethodGet, "/", "", nil)
	if err != nil {
		return "", err
	}
	seen := make(map[string]bool)
	for _, m := range assetPattern.FindAllStringSubmatch(string(page.body), -1) {
		reference := html.UnescapeString(m[1])
		u, err := url.Parse(reference)
		if err != nil || u.Host != "" || u.Scheme != "" || seen[reference] {
			continue
		}
		seen[reference] = true
		a, err := s.do(ctx, http.MethodGet, onHost(u), "", nil)
		if err != nil {
			return "", err
		}
		if a.status != http.StatusOK || a.mediaType() == "" || len(a.body) == 0 {
			return a.String(), fmt.Errorf("GET %s, to which the page refers: want 200, a content type and content\n%s", u, a.dump())
		}
	}
	return fmt.Sprintf("%d addresses on the page answer 200", len(seen)), nil
}

// onHost is a reference on the page as a path on its host.
func onHost(u *url.URL) string {
	return (&url.URL{Path: "/"}).ResolveReference(u).RequestURI()
}
