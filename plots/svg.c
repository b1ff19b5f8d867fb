// SPDX-License-Identifier: GPL-2.0-only
#include "plots/svg.h"

#include <errno.h>
#include <expat.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "plots/text.h"

#define MAX_SVG (64l << 20)
#define MAX_DEPTH 64

struct writer {
	FILE *out;
	const char *prefix, *label;
	const struct pl_svg_palette *palette;
	bool points; /* the picture refers to gnuplot's point symbols, so their definitions stay */
	int skip;    /* depth within an element that is left out */
	int depth;
	int written;	       /* so many of the open elements are in the page; others wait */
	char *open[MAX_DEPTH]; /* start tags that wait until something is inside of them */
	bool bare
		[MAX_DEPTH]; /* nothing would be in the tag: it is left out, what is inside stays */
	bool in_text, bad, complete;
};

/* ---- numbers ---- */

/* A tenth of a pixel, without digits that say nothing: 12, 12.5, .5, -3 */
static void put_number(FILE *out, double v)
{
	char buf[40];
	const char *s = buf;

	v = round(v * 10) / 10;
	snprintf(buf, sizeof(buf), v == floor(v) ? "%.0f" : "%.1f", v == 0 ? 0.0 : v);
	if (!strncmp(s, "0.", 2))
		s++;
	fputs(s, out);
}

/* After a command letter, or after another number: a minus sign keeps them apart as a space does. */
static void put_coordinate(FILE *out, double v, bool first)
{
	if (!first && v > -0.05)
		fputc(' ', out);
	put_number(out, v);
}

/* All numbers of an attribute, whatever stands between them: "85.00,12.30 7" */
static void put_numbers(FILE *out, const char *s)
{
	bool first = true;

	while (*s) {
		char *end;
		double v = strtod(s, &end);

		if (end == s) {
			s++;
			continue;
		}
		put_coordinate(out, v, first);
		first = false;
		s = end;
	}
}

/*
 * A line as it is drawn. The last point is held back, as the next one may only make the line longer.
 * Steps are written relative to where the pen is: fewer digits.
 */
struct pen {
	FILE *out;
	double x, y;   /* where the pen is */
	double tx, ty; /* the point held back */
	bool held;
	char command; /* written last */
};

static void put_command(struct pen *p, char command)
{
	if (command != p->command)
		fputc(command, p->out);
}

static void release(struct pen *p)
{
	double dx = p->tx - p->x, dy = p->ty - p->y;
	char command = dy == 0 ? 'h' : dx == 0 ? 'v' : 'l';

	if (!p->held)
		return;
	put_command(p, command);
	put_coordinate(p->out, command == 'v' ? dy : dx, command != p->command);
	if (command == 'l')
		put_coordinate(p->out, dy, false);
	p->command = command;
	p->x = p->tx;
	p->y = p->ty;
	p->held = false;
}

static bool onward(double from, double over, double to)
{
	return (over - from) * (to - over) >= 0;
}

static void line_to(struct pen *p, double x, double y)
{
	bool flat = p->held && p->ty == p->y && y == p->ty && onward(p->x, p->tx, x);
	bool upright = p->held && p->tx == p->x && x == p->tx && onward(p->y, p->ty, y);

	if (!flat && !upright)
		release(p);
	if (!p->held && x == p->x && y == p->y)
		return;
	p->tx = x;
	p->ty = y;
	p->held = true;
}

/* Does the path consist of M, L and Z with absolute coordinates only? */
static bool plain_path(const char *d)
{
	return d[strspn(d, "MLZz0123456789.,- \t\r\n")] == '\0';
}

/* @d: the commands of a path; or, of a polygon, points only */
static void put_path(FILE *out, const char *d, bool polygon)
{
	struct pen p = { .out = out };
	char command = 'M';

	if (!plain_path(d)) {
		pl_html(out, d);
		return;
	}
	while (*d) {
		char *end;
		double x, y;

		if (strchr("MLZz", *d)) {
			command = *d++;
			if (command == 'Z' || command == 'z') {
				release(&p);
				fputc('z', out);
				p.command = 'z';
			}
			continue;
		}
		x = round(strtod(d, &end) * 10) / 10;
		if (end == d) {
			d++;
			continue;
		}
		d = end + strspn(end, ", \t\r\n");
		y = round(strtod(d, &end) * 10) / 10;
		if (end == d)
			break;
		d = end;
		if (command == 'L') {
			line_to(&p, x, y);
			continue;
		}
		release(&p);
		fputc('M', out);
		put_number(out, x);
		put_coordinate(out, y, false);
		p.command = 'M';
		p.x = x;
		p.y = y;
		if (polygon)
			command = 'L';
	}
	release(&p);
	if (polygon)
		fputc('z', out);
}

/* ---- colours ---- */

/* The page's name for a grey. What is dark on paper is light on a dark page. */
static const char *grey(unsigned int level)
{
	return level >= 0xf0   ? "card"
	       : level >= 0xc8 ? "rule"
	       : level >= 0xa0 ? "pale"
	       : level >= 0x70 ? "axis"
	       : level >= 0x44 ? "soft"
			       : "fg";
}

static void put_rgb(struct writer *w, unsigned int rgb)
{
	for (size_t i = 0; i < w->palette->n; i++) {
		if (w->palette->rgb[i] == rgb) {
			fprintf(w->out, "var(--m%zu)", i);
			return;
		}
	}
	if ((rgb >> 16) == (rgb & 0xff) && ((rgb >> 8) & 0xff) == (rgb & 0xff))
		fprintf(w->out, "var(--%s)", grey(rgb & 0xff));
	else
		fprintf(w->out, "#%06x", rgb);
}

/* "rgb(119, 170, 221)", "#77aadd", "black"; others as they are */
static void put_colour(struct writer *w, const char *value)
{
	unsigned int r, g, b;
	char end;

	if (sscanf(value, "rgb( %u , %u , %u %c", &r, &g, &b, &end) == 4 && end == ')' && r < 256 &&
	    g < 256 && b < 256)
		put_rgb(w, r << 16 | g << 8 | b);
	else if (sscanf(value, "#%6x%c", &r, &end) == 1 && strlen(value) == 7)
		put_rgb(w, r);
	else if (!strcmp(value, "black"))
		fputs("var(--fg)", w->out);
	else
		pl_html(w->out, value);
}

/* ---- elements ---- */

static bool one_of(const char *s, const char *const *list)
{
	while (*list && strcmp(s, *list) != 0)
		list++;
	return *list != NULL;
}

/* Point symbols have an id: they are what other elements refer to. */
static bool point_symbol(const XML_Char **attr)
{
	for (; *attr; attr += 2) {
		if (!strcmp(attr[0], "id") &&
		    (!strncmp(attr[1], "gpPt", 4) || !strcmp(attr[1], "gpDot")))
			return true;
	}
	return false;
}

static const char *attribute(const XML_Char **attr, const char *name)
{
	for (; *attr; attr += 2) {
		if (!strcmp(attr[0], name))
			return attr[1];
	}
	return "";
}

/* The page has a background of its own. */
static bool background(const char *name, const XML_Char **attr)
{
	return !strcmp(name, "rect") && !strcmp(attribute(attr, "fill"), "#ffffff") &&
	       !strcmp(attribute(attr, "x"), "0") && !strcmp(attribute(attr, "y"), "0");
}

static bool left_out(const struct writer *w, const char *name, const XML_Char **attr)
{
	static const char *const never[] = { "title", "desc", "filter", NULL };

	return one_of(name, never) || background(name, attr) || (!w->points && point_symbol(attr));
}

/* What gnuplot says in each group, and the page once in <svg>. */
#define INHERITED "fill=\"none\" stroke=\"currentColor\" color=\"var(--fg)\""

static bool inherited(const XML_Char **attr)
{
	return !strcmp(attribute(attr, "fill"), "none") &&
	       !strcmp(attribute(attr, "stroke"), "currentColor") &&
	       !strcmp(attribute(attr, "color"), "black");
}

/* Groups that hold a text: page.css says what is so of most of them. */
static bool holds_text(const XML_Char **attr)
{
	return *attribute(attr, "font-size") && *attribute(attr, "transform") &&
	       !strcmp(attribute(attr, "stroke"), "none");
}

static bool usual_for_text(const struct writer *w, const char *name, const char *value)
{
	return (!strcmp(name, "stroke") && !strcmp(value, "none")) ||
	       (!strcmp(name, "fill") && !strcmp(value, "black")) ||
	       (!strcmp(name, "font-size") && strtod(value, NULL) == w->palette->font_px);
}

/* What would be so without being said, here or in page.css. */
static bool by_default(const char *name, const char *value)
{
	static const char *const never[] = { "font-family", "xmlns", "xmlns:xlink",	"width",
					     "height",	    "class", "shape-rendering", NULL };

	return (!strcmp(name, "stroke-linecap") && !strcmp(value, "butt")) ||
	       (!strcmp(name, "stroke-linejoin") && !strcmp(value, "miter")) ||
	       (!strcmp(name, "stroke-width") && !strcmp(value, "1.00")) ||
	       (!strcmp(name, "text-anchor") && !strcmp(value, "start")) ||
	       (!strcmp(name, "id") && !strncmp(value, "gnuplot_", 8)) || one_of(name, never);
}

/* "translate(12.50,7.00)", rounded; turns and scales as they are */
static void put_transform(FILE *out, const char *value)
{
	double x, y;
	int end = 0;

	if (sscanf(value, "translate(%lf,%lf)%n", &x, &y, &end) < 2 || !end) {
		pl_html(out, value);
		return;
	}
	fputs("translate(", out);
	put_number(out, x);
	fputc(' ', out);
	put_number(out, y);
	fputc(')', out);
	pl_html(out, value + end);
}

static void put_reference(struct writer *w, const char *value, const char *begin)
{
	size_t len = strlen(begin);

	fwrite(begin, 1, len, w->out);
	fputs(w->prefix, w->out);
	pl_html(w->out, value + len);
}

/* "fill:none; stroke:rgb(85,85,85)": what hatching is made of */
static void put_style(struct writer *w, const char *value)
{
	while (*value) {
		size_t name = strcspn(value, ":;"), end = strcspn(value, ";");
		char one[64];

		if (name < end && end - name - 1 < sizeof(one)) {
			pl_html_part(w->out, value, name + 1);
			snprintf(one, sizeof(one), "%.*s", (int)(end - name - 1), value + name + 1);
			put_colour(w, one);
			fputc(';', w->out);
		}
		value += end;
		value += strspn(value, "; ");
	}
}

static void put_value(struct writer *w, const char *name, const char *value)
{
	static const char *const colours[] = { "fill", "stroke", "color", NULL };
	static const char *const numbers[] = { "stroke-width", "font-size", "stroke-dasharray",
					       NULL };

	if (!strcmp(name, "id"))
		put_reference(w, value, "");
	else if (!strncmp(value, "url(#", 5))
		put_reference(w, value, "url(#");
	else if (strstr(name, "href") && value[0] == '#')
		put_reference(w, value, "#");
	else if (!strcmp(name, "d") || !strcmp(name, "points"))
		put_path(w->out, value, name[0] == 'p');
	else if (!strcmp(name, "style"))
		put_style(w, value);
	else if (!strcmp(name, "transform"))
		put_transform(w->out, value);
	else if (one_of(name, colours))
		put_colour(w, value);
	else if (one_of(name, numbers) && value[strspn(value, "0123456789.,- ")] == '\0')
		put_numbers(w->out, value);
	else
		pl_html(w->out, value);
}

/* A path says the same as a polygon in fewer characters. */
static const char *written_as(const char *name)
{
	return strcmp(name, "polygon") ? name : "path";
}

/* Shapes have a size of their own; pictures and groups are as large as what is in them. */
static bool said(const char *element, const XML_Char **attr, bool same)
{
	static const char *const own[] = { "rect", "pattern", "image", NULL };

	if (same &&
	    (!strcmp(attr[0], "fill") || !strcmp(attr[0], "stroke") || !strcmp(attr[0], "color")))
		return false;
	if (!strcmp(attr[0], "width") || !strcmp(attr[0], "height"))
		return one_of(element, own);
	return !by_default(attr[0], attr[1]);
}

/* Return: false if the tag would say nothing. */
static bool put_start(struct writer *w, const char *name, const XML_Char **attr)
{
	bool same = !strcmp(name, "g") && inherited(attr), any = false;
	bool text = !strcmp(name, "g") && holds_text(attr);

	fprintf(w->out, "<%s", written_as(name));
	if (w->depth == 0) {
		fputs(" role=\"img\" aria-label=\"", w->out);
		pl_html(w->out, w->label);
		fputs("\" " INHERITED, w->out);
	}
	for (; *attr; attr += 2) {
		if (!said(name, attr, same) || (text && usual_for_text(w, attr[0], attr[1])))
			continue;
		fprintf(w->out, " %s=\"", strcmp(attr[0], "points") ? attr[0] : "d");
		put_value(w, attr[0], attr[1]);
		fputc('"', w->out);
		any = true;
	}
	fputc('>', w->out);
	return any || (strcmp(name, "g") != 0 && strcmp(name, "tspan") != 0);
}

/* Something is to be written inside of all open elements. */
static void write_waiting(struct writer *w)
{
	for (; w->written < w->depth; w->written++) {
		if (!w->bare[w->written])
			fputs(w->open[w->written], w->out);
		free(w->open[w->written]);
		w->open[w->written] = NULL;
	}
}

/* A start tag that waits: groups that stay empty are never written. */
static void push(struct writer *w, const char *name, const XML_Char **attr)
{
	FILE *page = w->out;
	size_t len;

	if (w->depth == MAX_DEPTH) {
		w->bad = true;
		return;
	}
	w->open[w->depth] = NULL;
	w->out = open_memstream(&w->open[w->depth], &len);
	if (!w->out) {
		w->out = page;
		w->bad = true;
		return;
	}
	w->bare[w->depth] = !put_start(w, name, attr);
	w->bad |= fclose(w->out) != 0;
	w->out = page;
	w->depth++;
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attr)
{
	static const char *const groups[] = { "g", "defs", "text", "tspan", NULL };
	struct writer *w = user;

	if (w->bad)
		return;
	if (w->skip || left_out(w, name, attr)) {
		w->skip++;
		return;
	}
	/* gnuplot escapes all text, so a script could only come from its own interactive mode. */
	if (!strcmp(name, "script") || (!w->depth && strcmp(name, "svg") != 0)) {
		w->bad = true;
		return;
	}
	w->in_text |= !strcmp(name, "text");
	push(w, name, attr);
	if (!w->bad && !one_of(name, groups))
		write_waiting(w);
}

static void on_end(void *user, const XML_Char *name)
{
	struct writer *w = user;

	if (w->bad)
		return;
	if (w->skip) {
		w->skip--;
		return;
	}
	w->depth--;
	w->in_text &= strcmp(name, "text") != 0;
	if (w->written > w->depth) {
		if (!w->bare[w->depth])
			fprintf(w->out, "</%s>", written_as(name));
		w->written = w->depth;
	} else {
		free(w->open[w->depth]);
		w->open[w->depth] = NULL;
	}
	w->complete = !w->depth;
}

/* Spaces between elements are gnuplot's layout of the file; in a text they count. */
static void on_text(void *user, const XML_Char *s, int len)
{
	struct writer *w = user;
	char *copy;

	if (w->bad || w->skip || !w->in_text)
		return;
	copy = strndup(s, (size_t)len);
	if (!copy) {
		w->bad = true;
	} else if (copy[0] != '\n' && copy[0] != '\t' && copy[0] != '\r') {
		write_waiting(w);
		pl_html(w->out, copy);
	}
	free(copy);
}

static char *read_all(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	long size;

	if (!f)
		return NULL;
	if (!fseek(f, 0, SEEK_END) && (size = ftell(f)) >= 0 && size <= MAX_SVG) {
		rewind(f);
		text = malloc((size_t)size + 1);
		if (text) {
			*len = fread(text, 1, (size_t)size, f);
			text[*len] = '\0';
		}
	}
	fclose(f);
	return text;
}

int pl_svg_inline(FILE *out, const char *path, const char *prefix, const char *label,
		  const struct pl_svg_palette *palette)
{
	struct writer w = { .out = out, .prefix = prefix, .label = label, .palette = palette };
	XML_Parser parser = NULL;
	size_t len = 0;
	char *text = read_all(path, &len);
	bool good;

	if (!text)
		return -1;
	w.points = strstr(text, "href='#gpPt") && strstr(text, " color='");
	parser = XML_ParserCreate(NULL);
	if (!parser) {
		free(text);
		errno = ENOMEM;
		return -1;
	}
	XML_SetUserData(parser, &w);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	good = XML_Parse(parser, text, (int)len, 1) == XML_STATUS_OK && !w.bad && w.complete;
	XML_ParserFree(parser);
	while (w.depth > w.written)
		free(w.open[--w.depth]);
	free(text);
	if (!good)
		errno = EBADMSG;
	return good ? 0 : -1;
}
