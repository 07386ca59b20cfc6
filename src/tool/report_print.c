/* SPDX-License-Identifier: MIT */
/* What `pidguard report` prints, for people and for programs. */
#include "tool/report.h"

#include "tool/site.h"
#include "tool/tool.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define SITES_MAX 256u /* the number of places that are looked up in debugging information */

/* glibc 2.31 and musl have no function for it. */
static const char *signal_name(int sig) {
  static const struct {
    int sig;
    char name[8];
  } names[] = {{SIGHUP, "HUP"},   {SIGINT, "INT"},    {SIGQUIT, "QUIT"}, {SIGABRT, "ABRT"}, {SIGKILL, "KILL"},
               {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"},  {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"}, {SIGTERM, "TERM"},
               {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"},  {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"}, {SIGTTIN, "TTIN"},
               {SIGTTOU, "TTOU"}, {SIGWINCH, "WINCH"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].sig == sig)
      return names[i].name;
  return NULL;
}

static void print_signals(const struct stale *s) {
  for (int sig = 0; sig < REPORT_SIGNALS; sig++) {
    const char *name = signal_name(sig);
    if (s->signals[sig] && name)
      printf(", SIG%s", name);
    else if (s->signals[sig])
      printf(", %d", sig);
  }
}

static void print_time(int64_t us) {
  time_t seconds = (time_t)(us / 1000000);
  struct tm tm;
  char text[64];
  if (us < 0 || !gmtime_r(&seconds, &tm) || !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm))
    fputs("(no time)", stdout);
  else
    printf("%s.%03d UTC", text, (int)(us % 1000000 / 1000));
}

static void print_span(int64_t us) {
  if (us < 1000)
    printf("%d us", (int)us);
  else if (us < 1000000)
    printf("%.1f ms", (double)us / 1e3);
  else
    printf("%.1f s", (double)us / 1e6);
}

static const char *gone_text(const char *gone) {
  static const struct {
    const char *how, *text;
  } texts[] = {{"wait", "taken by a wait of the program"},
               {"silent", "reaped, but not by a wait that the shim saw"},
               {"reaped", "taken by a wait of the program, but the shim had not seen its birth"},
               {"unknown", "gone, but the shim kept no record of how"}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (strcmp(texts[i].how, gone) == 0)
      return texts[i].text;
  return *gone ? gone : "gone";
}

static void print_site(const struct stale *s, bool resolve) {
  struct site site = {"", ""};
  fputs("   from   ", stdout);
  print_plain(stdout, *s->caller ? s->caller : "(a place that was not logged)");
  if (resolve)
    site_resolve(s->caller, &site);
  if (site.function[0]) {
    fputs("  ", stdout);
    print_plain(stdout, site.function);
    fputs("()", stdout);
  }
  if (site.source[0]) {
    fputs(" at ", stdout);
    print_plain(stdout, site.source);
  }
  putchar('\n');
}

static void print_ages(const struct stale *s) {
  fputs("   child  ", stdout);
  print_plain(stdout, gone_text(s->gone));
  if (*s->by) {
    fputs(" (by ", stdout);
    print_plain(stdout, s->by);
    putchar(')');
  }
  if (s->most_ago >= 0) {
    fputs(", ", stdout);
    print_span(s->least_ago);
    if (s->most_ago != s->least_ago) {
      fputs(" to ", stdout);
      print_span(s->most_ago);
    }
    fputs(" before", stdout);
  }
  putchar('\n');
}

static void print_owner(const struct stale *s) {
  fputs("   PID    ", stdout);
  if (!s->met) {
    puts(s->sends ? "no process had it; the next process that gets it would have been hit" : "no process had it");
    return;
  }
  printf("another process had it %llu times:", (unsigned long long)s->met);
  for (int i = 0; i < REPORT_NAMES && s->names[i][0]; i++) {
    putchar(' ');
    print_plain(stdout, s->names[i]);
  }
  if (s->hits)
    printf(" (may have been HIT %llu times, because nothing prevented that)\n", (unsigned long long)s->hits);
  else
    puts(s->refused ? " (protected from it)" : " (no signal was sent to it)");
}

static void print_stale(const struct stale *s, unsigned nth) {
  printf("\n%u. ", nth);
  print_plain(stdout, *s->comm ? s->comm : "(a program without a name)");
  fputs(": ", stdout);
  print_plain(stdout, s->call);
  printf("(%lld", (long long)s->target);
  print_signals(s);
  printf(")  %llu time%s\n", (unsigned long long)s->count, s->count == 1 ? "" : "s");
  print_site(s, nth <= SITES_MAX);
  print_ages(s);
  if (!s->late_wait)
    print_owner(s);
  fputs("   first  ", stdout);
  print_time(s->first);
  if (s->last != s->first) {
    fputs(", last ", stdout);
    print_time(s->last);
  }
  putchar('\n');
}

static void print_troubles(const struct report *r) {
  if (!r->troubles)
    return;
  puts("\nWhat could not be protected, and other trouble:");
  for (unsigned i = 0; i < r->troubles; i++) {
    const struct trouble *t = &r->trouble[i];
    printf("  %llu time%s ", (unsigned long long)t->count, t->count == 1 ? " " : "s");
    print_plain(stdout, t->comm);
    fputs(": ", stdout);
    print_plain(stdout, t->event);
    fputs(*t->what ? ": " : "", stdout);
    print_plain(stdout, t->what);
    putchar('\n');
  }
  if (r->trouble_left_out)
    printf("  and %llu lines of further kinds\n", (unsigned long long)r->trouble_left_out);
}

void report_print_text(struct report *r) {
  unsigned uses = 0, meeting = 0, late = 0;
  for (unsigned i = 0; i < r->stales; i++) {
    late += r->stale[i].late_wait;
    uses += !r->stale[i].late_wait;
    meeting += r->stale[i].met > 0;
  }
  if (uses)
    printf("%u place%s used the PID of a child that was gone (%llu times); %u of them met another process there "
           "(%llu times).\n",
           uses, uses == 1 ? "" : "s", (unsigned long long)r->uses, meeting, (unsigned long long)r->met);
  else
    puts("The programs used no PID of a child that was gone.");
  for (unsigned i = 0; i < uses; i++)
    print_stale(&r->stale[i], i + 1);
  if (r->stale_left_out)
    printf("\nFurther places used such a PID %llu times.\n", (unsigned long long)r->stale_left_out);
  if (late)
    puts("\nChildren that another wait had reaped when the program waited for them:");
  for (unsigned i = uses; i < r->stales; i++)
    print_stale(&r->stale[i], i + 1);
  print_troubles(r);
  if (r->summaries) {
    printf("\n%llu process%s logged their counters: %llu children, %llu of them reaped by a wait",
           (unsigned long long)r->summaries, r->summaries == 1 ? "" : "es", (unsigned long long)r->births,
           (unsigned long long)r->reaped);
    printf(", %llu reaped otherwise, %llu not waited for at the end.\n", (unsigned long long)r->silent,
           (unsigned long long)r->unwaited);
    printf(
        "%llu retired PIDs were forgotten, because the bound was reached (PIDGUARD_RETIRED_MAX); %llu calls were not "
        "protected.\n",
        (unsigned long long)r->forgotten, (unsigned long long)r->degraded);
  }
  printf("\n%llu file%s, %llu lines", (unsigned long long)r->files, r->files == 1 ? "" : "s",
         (unsigned long long)r->lines);
  if (r->foreign)
    printf(", %llu of them not pidguard's", (unsigned long long)r->foreign);
  if (r->cut)
    printf(", %llu cut short and left out", (unsigned long long)r->cut);
  if (r->first >= 0) {
    fputs("; from ", stdout);
    print_time(r->first);
    fputs(" to ", stdout);
    print_time(r->last);
  }
  putchar('\n');
}

static void json_member(const char *name, const char *text) {
  printf("\"%s\":", name);
  json_text(stdout, text);
}

static void json_micro(const char *name, int64_t us) {
  if (us < 0)
    printf(",\"%s\":null", name);
  else
    printf(",\"%s\":%lld.%06lld", name, (long long)(us / 1000000), (long long)(us % 1000000));
}

static void json_stale(const struct stale *s, bool resolve) {
  struct site site = {"", ""};
  if (resolve)
    site_resolve(s->caller, &site);
  putchar('{');
  json_member("program", s->comm);
  putchar(',');
  json_member("call", s->call);
  putchar(',');
  json_member("caller", s->caller);
  putchar(',');
  json_member("function", site.function);
  putchar(',');
  json_member("source", site.source);
  printf(",\"signals\":[");
  const char *comma = "";
  for (int sig = 0; sig < REPORT_SIGNALS; sig++) {
    if (s->signals[sig]) {
      printf("%s%d", comma, sig);
      comma = ",";
    }
  }
  printf("],\"count\":%llu,\"met\":%llu,\"hits\":%llu,\"nobody\":%llu,\"refused\":%s,", (unsigned long long)s->count,
         (unsigned long long)s->met, (unsigned long long)s->hits, (unsigned long long)s->nobody,
         s->refused ? "true" : "false");
  json_member("gone", s->gone);
  putchar(',');
  json_member("by", s->by);
  json_micro("least_ago", s->least_ago);
  json_micro("most_ago", s->most_ago);
  json_micro("first", s->first);
  json_micro("last", s->last);
  printf(",\"target\":%lld,\"pid\":%lld,\"owners\":[", (long long)s->target, (long long)s->pid);
  for (int i = 0; i < REPORT_NAMES && s->names[i][0]; i++) {
    fputs(i ? "," : "", stdout);
    json_text(stdout, s->names[i]);
  }
  fputs("]}", stdout);
}

static void json_stales(const char *name, const struct report *r, bool late) {
  bool some = false;
  printf("\"%s\":[", name);
  for (unsigned i = 0; i < r->stales; i++) {
    if (r->stale[i].late_wait != late)
      continue;
    fputs(some ? ",\n" : "\n", stdout);
    json_stale(&r->stale[i], i < SITES_MAX);
    some = true;
  }
  fputs("],", stdout);
}

void report_print_json(struct report *r) {
  putchar('{');
  json_stales("stale", r, false);
  putchar('\n');
  json_stales("late_waits", r, true);
  printf("\n\"trouble\":[");
  for (unsigned i = 0; i < r->troubles; i++) {
    const struct trouble *t = &r->trouble[i];
    fputs(i ? ",\n{" : "\n{", stdout);
    json_member("program", t->comm);
    putchar(',');
    json_member("event", t->event);
    putchar(',');
    json_member("what", t->what);
    printf(",\"count\":%llu", (unsigned long long)t->count);
    json_micro("first", t->first);
    json_micro("last", t->last);
    putchar('}');
  }
  printf("],\n\"uses\":%llu,\"met\":%llu,\"hits\":%llu,\"stale_left_out\":%llu,\"trouble_left_out\":%llu,",
         (unsigned long long)r->uses, (unsigned long long)r->met, (unsigned long long)r->hits,
         (unsigned long long)r->stale_left_out, (unsigned long long)r->trouble_left_out);
  printf("\n\"counters\":{\"processes\":%llu,\"births\":%llu,\"reaped\":%llu,\"silent\":%llu,\"unwaited\":%llu,",
         (unsigned long long)r->summaries, (unsigned long long)r->births, (unsigned long long)r->reaped,
         (unsigned long long)r->silent, (unsigned long long)r->unwaited);
  printf("\"forgotten\":%llu,\"degraded\":%llu},", (unsigned long long)r->forgotten, (unsigned long long)r->degraded);
  printf("\n\"files\":%llu,\"unreadable\":%llu,\"lines\":%llu,\"foreign\":%llu,\"cut\":%llu",
         (unsigned long long)r->files, (unsigned long long)r->unreadable, (unsigned long long)r->lines,
         (unsigned long long)r->foreign, (unsigned long long)r->cut);
  json_micro("first", r->first);
  json_micro("last", r->last);
  puts("}");
}
