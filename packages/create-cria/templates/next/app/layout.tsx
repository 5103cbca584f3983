import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "cria" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body
        style={{ font: "15px/1.5 system-ui, sans-serif", maxWidth: "40rem", margin: "2rem auto" }}
      >
        {children}
      </body>
    </html>
  );
}
