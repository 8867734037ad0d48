package endpoints

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// maxPages bounds how many pages are read of one list.
const maxPages = 2000

// checkPagination reads all pages. They must have every user once, in order, the user
// just created among them, and as many users as the statistics say.
func checkPagination(ctx context.Context, s *session) (string, error) {
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

// pageUser is the part of a user that the checks read.
type pageUser struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
}

// eachPage reads the list of users page by page, with that many users on each, and
// calls see for each page.
func (s *session) eachPage(ctx context.Context, limit int, see func([]pageUser)) error {
	path := fmt.Sprintf("%s/users?limit=%d", s.api, limit)
	next := path
	for range maxPages {
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
	return fmt.Errorf("GET %s: no end after %d pages", path, maxPages)
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
