-- The shop's own tables. They know nothing about streams, apart from the trigger at the end.
create table if not exists product (name text primary key, stock integer not null check (stock >= 0));
create table if not exists orders (
  id bigint generated always as identity primary key,
  product text not null references product,
  status text not null default 'new'
);
insert into product (name, stock) values ('tea', 20), ('coffee', 20) on conflict do nothing;

-- Publishes every change of a stock, whichever program or person makes it: if and when that transaction commits.
create or replace function publish_stock() returns trigger language plpgsql as $$
begin
  perform sse.publish('stock.' || new.name, json_build_object('product', new.name, 'stock', new.stock)::text, event => 'stock');
  return null;
end $$;
create or replace trigger publish_stock after insert or update of stock on product for each row execute function publish_stock();
