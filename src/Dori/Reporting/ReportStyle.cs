using System.Security.Cryptography;
using System.Text;

namespace Dori.Reporting;

/// <summary>The reports' style sheet. The page's content security policy names it by its hash, so that no other style can apply.</summary>
internal static class ReportStyle
{
    /// <summary>Line feeds only: browsers hash the text after they have turned carriage returns into line feeds.</summary>
    public static string Css { get; } = Sheet.ReplaceLineEndings("\n");

    /// <summary>As it stands in the policy: <c>sha256-</c> and base64.</summary>
    public static string Hash { get; } = "sha256-" + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Css)));

    // Colours: Okabe and Ito's, darkened (light) or lightened (dark) until text in them has a contrast of 4.5.
    private const string Sheet = """

        :root {
          color-scheme: light dark;
          --page: #ffffff; --panel: #f6f7f8; --text: #1b1f24; --quiet: #565e68; --rule: #d9dde2; --strong: #8a929c;
          --red: #a4262c; --amber: #8a5a00; --on-red: #ffffff;
          --look-0: #0067a3; --look-1: #a84a00; --look-2: #00785a; --look-3: #8a3a6c; --look-4: #6a5acd; --look-5: #5a626b;
        }
        @media screen and (prefers-color-scheme: dark) {
          :root {
            --page: #14171a; --panel: #1d2125; --text: #e6e9ec; --quiet: #a3abb5; --rule: #343a41; --strong: #7d8690;
            --red: #ff8a84; --amber: #e6b450; --on-red: #2a0505;
            --look-0: #6cb8e6; --look-1: #f0954a; --look-2: #4cc9a0; --look-3: #dd8fc0; --look-4: #a79bf0; --look-5: #a9b1ba;
          }
        }
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; }
        body { margin: 0; background: var(--page); color: var(--text);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
        main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 64px; }
        header { margin-bottom: 24px; }
        p, li, dd { max-width: 74ch; overflow-wrap: anywhere; }
        h1 { font-size: 1.5rem; line-height: 1.25; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
        h2 { font-size: 1.25rem; line-height: 1.3; font-weight: 600; margin: 0 0 8px; }
        h3 { font-size: 1rem; line-height: 1.35; font-weight: 600; margin: 24px 0 8px; overflow-wrap: anywhere; }
        section { margin: 0 0 56px; }
        section > p, section > ul { margin: 0 0 16px; }
        .identity { margin: 4px 0 0; color: var(--quiet); font-size: .8125rem; overflow-wrap: anywhere; }
        .eyebrow { margin: 0 0 4px; color: var(--quiet); font-size: .875rem; }
        .note { color: var(--quiet); margin: 0 0 56px; font-size: .9375rem; }

        .answer { border-left: 5px solid var(--strong); padding: 4px 0 4px 20px; margin-bottom: 24px; }
        .tone-retained { border-color: var(--red); }
        .tone-open { border-color: var(--amber); }
        .headline { font-size: 1.75rem; line-height: 1.25; font-weight: 600; letter-spacing: -.01em; margin: 0 0 6px; max-width: 40ch; }
        .headline ~ .headline { font-size: 1.25rem; margin-top: 18px; }
        .detail { margin: 0; color: var(--quiet); }
        .obstacle { margin: 0 0 14px; font-weight: 600; color: var(--amber); }
        .warnings { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 16px 20px; margin-bottom: 24px; }
        .warnings h2 { font-size: 1rem; }
        ul { margin: 0; padding-left: 1.2em; }
        li + li { margin-top: 6px; }

        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
        section > .legend { color: var(--quiet); margin: 10px 0 0; font-size: .875rem; }
        th, td { text-align: left; vertical-align: top; padding: 7px 16px 7px 0; border-bottom: 1px solid var(--rule); font-weight: 400; }
        thead th { font-weight: 600; vertical-align: bottom; border-bottom: 1px solid var(--strong); }
        th.start { font-weight: 600; padding-top: 18px; }
        .number { text-align: right; white-space: nowrap; }
        tr.control { color: var(--quiet); }
        .rates tr.control { background: var(--panel); }
        .rates tbody th[scope=row], .rates td { white-space: nowrap; }
        .rates td[colspan] { white-space: normal; }
        .rates tr th:first-child { padding-left: 8px; }
        .rates tr :last-child { padding-right: 8px; }
        .all { min-width: 900px; font-size: .8125rem; }
        .all th, .all td { padding: 5px 12px 5px 0; }
        .all th[scope=row], .all td { overflow-wrap: anywhere; }
        .all td:nth-child(4), .all td:nth-child(5), .all td:nth-child(7) { white-space: nowrap; }
        .all td:nth-child(3) { min-width: 9.5em; }
        .copy { font-weight: 700; }
        .run th { width: 16rem; color: var(--quiet); }
        .run td { overflow-wrap: anywhere; }
        pre { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 12px 16px; margin: 0;
          white-space: pre-wrap; overflow-wrap: anywhere; font-size: .875rem; }
        code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; }

        .badge { display: inline-block; white-space: nowrap; font-size: .8125rem; line-height: 1.4; font-weight: 600; padding: 1px 8px;
          border-radius: 4px; border: 1px solid currentColor; color: var(--quiet); }
        .badge.retained { background: var(--red); border-color: var(--red); color: var(--on-red); print-color-adjust: exact;
          -webkit-print-color-adjust: exact; }
        .badge.undecided { color: var(--amber); border-style: double; border-width: 3px; padding: 0 6px; }
        .badge.not-judged { border-style: dashed; }
        .all .badge { font-size: .75rem; padding: 0 6px; }

        .card { display: grid; grid-template-columns: minmax(220px, 1fr) auto; gap: 8px 32px; padding: 20px 0;
          border-top: 1px solid var(--rule); break-inside: avoid; }
        .card h3 { margin: 8px 0 0; }
        .file { margin: 0 0 10px; color: var(--quiet); font-size: .8125rem; }
        .facts dl { margin: 0; font-size: .875rem; display: grid; grid-template-columns: auto 1fr; gap: 2px 12px; }
        .facts dt { color: var(--quiet); }
        .facts dd { margin: 0; }
        .look-at { margin: 8px 0 0; font-size: .875rem; font-weight: 600; color: var(--amber); }
        .tiles { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; }
        figure { margin: 0; }
        .tiles figure { width: 192px; }
        .tiles figure.nearest { width: 192px; padding-left: 16px; border-left: 1px solid var(--rule); box-sizing: content-box; }
        .picture { display: block; width: 192px; height: 192px; object-fit: contain; background: var(--panel); }
        .filter { border: 0; padding: 0; margin: 0 0 16px; } .filter legend { float: left; margin-right: 12px; }
        .pages, .contents { margin: 0 0 16px; } .pages a, .pages span { margin-right: 12px; }
        .all-pictures:has(input[value=is-retained]:checked) .card:not(.is-retained),
        .all-pictures:has(input[value=is-undecided]:checked) .card:not(.is-undecided),
        .all-pictures:has(input[value=is-not-found]:checked) .card:not(.is-not-found),
        .all-pictures:has(input[value=is-not-judged]:checked) .card:not(.is-not-judged) { display: none; }
        .small { image-rendering: pixelated; }
        .missing { display: flex; align-items: center; justify-content: center; text-align: center; padding: 8px;
          border: 1px dashed var(--strong); color: var(--quiet); font-size: .75rem; line-height: 1.3; }
        .mosaic { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; width: 192px; }
        .mosaic .picture { width: 95px; height: 95px; font-size: .5rem; padding: 0; overflow: hidden; }
        .pair { display: flex; gap: 4px; }
        .nearest .picture { width: 94px; height: 94px; }
        .library { position: absolute; }
        figcaption { font-size: .8125rem; line-height: 1.35; margin-top: 6px; font-variant-numeric: tabular-nums; }
        .name { color: var(--quiet); }
        .value { font-weight: 400; }
        .value.copy { font-weight: 700; }
        .how { display: block; color: var(--quiet); overflow-wrap: anywhere; }

        details { border-top: 1px solid var(--rule); border-bottom: 1px solid var(--rule); padding: 14px 0; }
        summary { cursor: pointer; font-weight: 600; }
        .controls { display: grid; grid-template-columns: repeat(auto-fill, minmax(166px, 1fr)); gap: 18px 16px; padding-top: 18px; }
        .controls .picture { width: 80px; height: 80px; }
        .strip { border-collapse: collapse; }
        .strip th, .strip td { padding: 0 14px 12px 0; vertical-align: top; text-align: left; font-weight: normal; }
        .strip thead th { color: var(--quiet); font-size: .875rem; padding-bottom: 6px; }
        .strip th[scope=row] { max-width: 160px; }
        .strip .how { display: block; color: var(--quiet); font-size: .8125rem; }
        .strip .copy { outline: 3px solid var(--red); }
        .controls figure { break-inside: avoid; }

        .plot { display: block; width: 100%; height: auto; overflow: visible; font-size: 12px; }
        .plot text { fill: var(--quiet); font-variant-numeric: tabular-nums; }
        .plot .plot-title { fill: var(--text); font-size: 13px; font-weight: 600; }
        .plot .mark-label { fill: var(--text); stroke: var(--page); stroke-width: 3px; paint-order: stroke; }
        .plot .series-label { fill: var(--look); font-weight: 600; }
        .scroll > .plot { min-width: 640px; margin-bottom: 28px; }
        .plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 12px 40px; margin-top: 28px;
          break-inside: avoid; }
        .plots-title { grid-column: 1 / -1; margin: 0; font-size: .9375rem; font-weight: 600; }
        .grid { stroke: var(--rule); stroke-width: 1; }
        .axis { stroke: var(--strong); stroke-width: 1; }
        .mark { stroke: var(--text); stroke-width: 1.25; stroke-dasharray: 5 3; }
        .line { fill: none; stroke: var(--look); stroke-width: 2; stroke-linejoin: round; }
        .whisker { stroke: var(--look); stroke-width: 1.25; }
        .range { stroke: var(--look); stroke-width: 2.5; }
        .band { fill: var(--look); opacity: .16; }
        .marker { fill: var(--look); stroke: var(--page); stroke-width: 1; }
        .marker.hollow { fill: var(--page); stroke: var(--look); stroke-width: 1.5; }
        .share, .bar { display: block; }
        .bar .fill { fill: var(--look); }
        .look-0 { --look: var(--look-0); } .look-1 { --look: var(--look-1); } .look-2 { --look: var(--look-2); }
        .look-3 { --look: var(--look-3); } .look-4 { --look: var(--look-4); } .look-5 { --look: var(--look-5); }

        .words { margin: 0; display: grid; grid-template-columns: 11rem 1fr; gap: 10px 24px; }
        .words dt { font-weight: 600; }
        .words dd { margin: 0; }

        @media (max-width: 980px) { .card { grid-template-columns: 1fr; } }
        @media (max-width: 560px) {
          main { padding: 24px 16px 48px; }
          .headline { font-size: 1.375rem; }
          .tiles { gap: 8px; } .tiles figure, .mosaic { width: calc((100vw - 48px) / 3); }
          .tiles figure .picture { width: 100%; height: auto; aspect-ratio: 1; } .tiles .mosaic .picture { width: 100%; }
          .tiles figure.nearest { padding-left: 0; border-left: 0; width: 100%; }
          .words { grid-template-columns: 1fr; gap: 2px; }
          .words dd { margin-bottom: 10px; }
          .run th, .run td { display: block; width: auto; padding-right: 0; }
          .run th { border-bottom: 0; padding-bottom: 0; }
          .run td { padding-top: 0; }
        }
        @media print {
          @page { size: A4; margin: 16mm 14mm; @bottom-right { content: counter(page) " / " counter(pages); font-size: 8pt; } }
          header .identity { position: fixed; bottom: -9mm; left: 0; font-size: 7pt; }
          html { font-size: 9.5pt; }
          body { font-size: 1rem; }
          p, li, dd { max-width: none; }
          section > p { break-after: avoid; }
          section > .legend, .card p { break-after: auto; }
          main { max-width: none; padding: 0; }
          section { margin-bottom: 28pt; }
          h2, h3, .plots-title { break-after: avoid; }
          thead { display: table-header-group; }
          tr, figure, .answer, .warnings { break-inside: avoid; }
          .scroll { overflow: visible; }
          .card { grid-template-columns: 1fr auto; gap: 6px 12pt; padding: 8pt 0; }
          .tiles { gap: 8pt; flex-wrap: nowrap; }
          .tiles figure, .picture, .mosaic { width: 82px; }
          .picture { height: 82px; }
          .mosaic .picture { width: 40px; height: 40px; }
          .tiles figure.nearest { width: 116px; padding-left: 8pt; }
          .nearest .picture { width: 56px; height: 56px; }
          .controls { grid-template-columns: repeat(4, 1fr); gap: 8pt; }
          .controls .picture { width: 72px; height: 72px; }
          .facts dl { grid-template-columns: 1fr; gap: 0; }
          .facts dd + dt { margin-top: 2pt; }
          .plots { grid-template-columns: 1fr 1fr; gap: 8pt 16pt; margin-top: 14pt; }
          .once { break-inside: avoid; }
          .rates, .all { min-width: 0; font-size: 7.5pt; }
          .rates th, .rates td, .all th, .all td { padding-right: 6pt; white-space: normal; }
          .rates .number, .all .number { white-space: nowrap; }
          .all td:nth-child(3) { min-width: 7.5em; }
          .share { width: 60px; }
          .scroll > .plot { min-width: 0; }
          details::details-content { content-visibility: visible; height: auto; }
          summary { list-style: none; }
        }

        """;
}
