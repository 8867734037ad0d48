package endpoints

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// checkForms adds a user by the form, finds it, and deletes it by the form.
func checkForms(ctx context.Context, s *session) (string, error) {
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

// isBackToPage fails unless the answer is a redirect to the page.
func isBackToPage(a *answer) error {
	u, err := url.Parse(a.header.Get("Location"))
	if a.status != http.StatusSeeOther || err != nil || u.Host != "" || u.Path != "/" {
		return fmt.Errorf("status %d and Location %q, want 303 to the page", a.status, a.header.Get("Location"))
	}
	return nil
}
