"""What a Python program does with its own Kafka client and nothing of ours.

kafka_clients.py publish BROKERS      product.created from each client, records without any header
kafka_clients.py consume BROKERS N    N records of each topic, by each client, as lines of JSON
"""
import asyncio
import datetime
import json
import sys
import time
import uuid

import aiokafka
import confluent_kafka

CREATED = "product-catalog.product.created.v1"
ADJUSTED = "inventory-management.inventory.adjusted.v1"
PRODUCTS = {client: [f"{client}_{n}" for n in range(20)] for client in ("aiokafka", "confluent")}


def event(product):
    return json.dumps({
        "event_id": str(uuid.uuid4()), "correlation_id": str(uuid.uuid4()), "event_type": "product.created", "event_version": "1.0",
        "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat(), "source_service": "product-catalog-service",
        "data": {"product_id": product, "name": "Tea", "category_id": "tea", "price": "3.50", "is_active": True},
    }).encode()


async def publish_aiokafka(brokers):
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    try:
        for product in PRODUCTS["aiokafka"]:
            await producer.send_and_wait(CREATED, event(product), key=product.encode())
    finally:
        await producer.stop()


def publish_confluent(brokers):
    producer = confluent_kafka.Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random"})
    failed = []
    for product in PRODUCTS["confluent"]:
        producer.produce(CREATED, event(product), key=product.encode(), on_delivery=lambda err, _: err and failed.append(err))
    producer.flush(30)
    if failed:
        raise failed[0]


def show(client, topic, partition, key, value, headers):
    headers = {name: text.decode() for name, text in headers or ()}
    print(json.dumps({"client": client, "topic": topic, "partition": partition, "key": key.decode(), "type": json.loads(value)["event_type"], "headers": headers}))


async def consume_aiokafka(brokers, n):
    consumer = aiokafka.AIOKafkaConsumer(CREATED, ADJUSTED, bootstrap_servers=brokers, group_id="python-aiokafka", auto_offset_reset="earliest")
    await consumer.start()
    try:
        for _ in range(2 * n):
            r = await asyncio.wait_for(consumer.getone(), 30)
            show("aiokafka", r.topic, r.partition, r.key, r.value, r.headers)
    finally:
        await consumer.stop()


def consume_confluent(brokers, n):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": brokers, "group.id": "python-confluent", "auto.offset.reset": "earliest"})
    consumer.subscribe([CREATED, ADJUSTED])
    seen, until = 0, time.monotonic() + 60
    while seen < 2 * n:
        if time.monotonic() > until:
            raise TimeoutError(f"{seen} records came")
        r = consumer.poll(1)
        if r is not None and r.error() is None:
            show("confluent", r.topic(), r.partition(), r.key(), r.value(), r.headers())
            seen += 1
    consumer.close()


def main(action, brokers, n="0"):
    if action == "publish":
        asyncio.run(publish_aiokafka(brokers))
        publish_confluent(brokers)
    else:
        asyncio.run(consume_aiokafka(brokers, int(n)))
        consume_confluent(brokers, int(n))


main(*sys.argv[1:])
