package endpoints

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
)

// walkLimit bounds a walk over all pages, in pages.
const walkLimit = 2000

// walkPages goes through all pages and wants every user once, in order, the one
// just created among them, and as many as the statistics say.
func walkPages(ctx context.Context, s *session) (string, error) {
	own, err := s.expand("{id}")
	if err != nil {
		return "", err
	}
	before, err := s.count(ctx)
	if err != nil {
		return "", err
	}
	// Some four pages, so that there are several even with few users.
	limit := min(max(before/4, 1), 200)
	ids, pages, err := s.allIDs(ctx, limit)
	if err != nil {
		return "", err
	}
	after, err := s.count(ctx)
	if err != nil {
		return "", err
	}
	measured := fmt.Sprintf("%d users on %d pages of %d", len(ids), pages, limit)
	found := false
	for i, id := range ids {
		if i > 0 && id <= ids[i-1] {
			return measured, fmt.Errorf("user %d comes after user %d: pages overlap or are out of order", id, ids[i-1])
		}
		found = found || strconv.FormatInt(id, 10) == own
	}
	if !found {
		return measured, fmt.Errorf("user %s, created just now, is on no page", own)
	}
	// Others may have created or deleted users meanwhile.
	if least, most := min(before, after), max(before, after); len(ids) < least || len(ids) > most {
		return measured, fmt.Errorf("the pages hold %d users, the statistics say %d before and %d after", len(ids), before, after)
	}
	return measured, nil
}

// allIDs lists the ids of all users, page by page.
func (s *session) allIDs(ctx context.Context, limit int) (ids []int64, pages int, err error) {
	err = s.eachPage(ctx, limit, func(list []pageUser) {
		pages++
		for _, u := range list {
			ids = append(ids, u.ID)
		}
	})
	return ids, pages, err
}

// pageUser is what the walks read of a user.
type pageUser struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
}

func (s *session) eachPage(ctx context.Context, limit int, see func([]pageUser)) error {
	path := fmt.Sprintf("%s/users?limit=%d", s.api, limit)
	next := path
	for range walkLimit {
		a, err := s.do(ctx, http.MethodGet, next, "", nil)
		if err != nil {
			return err
		}
		var page struct {
			Users      []pageUser `json:"users"`
			NextCursor *string    `json:"next_cursor"`
		}
		if err := json.Unmarshal(a.body, &page); a.status != http.StatusOK || err != nil {
			return fmt.Errorf("GET %s: want 200 and a page of users\n%s", next, a.dump())
		}
		if page.NextCursor != nil && len(page.Users) != limit {
			return fmt.Errorf("GET %s: %d users though more follow, want %d", next, len(page.Users), limit)
		}
		see(page.Users)
		if page.NextCursor == nil {
			return nil
		}
		if *page.NextCursor == "" {
			return fmt.Errorf("GET %s: next_cursor is empty, want it absent at the end", next)
		}
		next = path + "&cursor=" + url.QueryEscape(*page.NextCursor)
	}
	return fmt.Errorf("GET %s: no end after %d pages", path, walkLimit)
}

// count is the number of users by the statistics.
func (s *session) count(ctx context.Context) (int, error) {
	a, err := s.do(ctx, http.MethodGet, s.api+"/stats", "", nil)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text(a.member("users")))
	if err != nil {
		return 0, fmt.Errorf("GET %s/stats: want a number of users\n%s", s.api, a.dump())
	}
	return n, nil
}

var assetPattern = regexp.MustCompile(`(?:src|href)="([^"#?][^"]*)"`)

// walkAssets asks for everything that the page refers to on its own host, and
// wants nothing referred to elsewhere but by links to follow.
func walkAssets(ctx context.Context, s *session) (string, error) {
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

// walkForms adds a user by the form, finds it, and deletes it by the form.
func walkForms(ctx context.Context, s *session) (string, error) {
	email := s.vars["form"]
	form := url.Values{"name": {"Form User"}, "email": {email}}.Encode()
	a, err := s.do(ctx, http.MethodPost, "/ui/users", form, formBody)
	if err != nil {
		return "", err
	}
	// Whatever the answer was, the user may be there now, to be deleted.
	id, err := s.findUser(ctx, email)
	if id != "" {
		s.created[id] = true
	}
	if back := isBackToPage(a); back != nil {
		return a.String(), fmt.Errorf("POST /ui/users: %w\n%s", back, a.dump())
	}
	if err != nil {
		return a.String(), err
	}
	if id == "" {
		return a.String(), fmt.Errorf("the user that the form added, %s, is not in the list", email)
	}
	if a, err = s.do(ctx, http.MethodPost, "/ui/users/"+id+"/delete", "", formBody); err != nil {
		return "", err
	}
	if err := isBackToPage(a); err != nil {
		return a.String(), fmt.Errorf("POST /ui/users/%s/delete: %w\n%s", id, err, a.dump())
	}
	if a, err = s.do(ctx, http.MethodGet, s.api+"/users/"+id, "", nil); err != nil {
		return "", err
	}
	if a.status != http.StatusNotFound {
		return a.String(), fmt.Errorf("the user that the form deleted, %s, answers %d, want 404", id, a.status)
	}
	return "303 and added, 303 and deleted", nil
}

// isBackToPage wants a redirect to the page.
func isBackToPage(a *answer) error {
	u, err := url.Parse(a.header.Get("Location"))
	if a.status != http.StatusSeeOther || err != nil || u.Host != "" || u.Path != "/" {
		return fmt.Errorf("status %d and Location %q, want 303 to the page", a.status, a.header.Get("Location"))
	}
	return nil
}

// findUser is the id of the user with that e-mail, "" if there is none.
func (s *session) findUser(ctx context.Context, email string) (id string, err error) {
	err = s.eachPage(ctx, 200, func(list []pageUser) {
		for _, u := range list {
			if u.Email == email {
				id = strconv.FormatInt(u.ID, 10)
			}
		}
	})
	return id, err
}

// ownRequestID wants an id that the service made, not the one that was sent.
func ownRequestID(a *answer, _ map[string]string) error {
	got := a.header.Get("X-Request-Id")
	if got == a.requestID || !requestIDShape.MatchString(got) {
		return fmt.Errorf("header X-Request-Id is %q, want one that the service made", got)
	}
	return nil
}

// freshTrace wants the id of a trace that the service began; without tracing
// there is none to want.
func freshTrace(a *answer, vars map[string]string) error {
	if got := a.header.Get("X-Trace-Id"); vars["traces"] != "off" && !traceIDShape.MatchString(got) {
		return fmt.Errorf("header X-Trace-Id is %q, want 32 hex digits", got)
	}
	return nil
}
